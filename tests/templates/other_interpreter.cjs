// Runs state machines in `aws-local-stepfunctions`, an interpreter of the Amazon States Language that shares no code
// with ours. Standard input: [{definition, input, execution, responses: {State: [{return} | {throw: {error, cause}}]}}].
// Standard output: for each, its end and the effective input of every task call, by state.
//
// The package wants Node 22; the one function of it that Node 20 lacks is filled in here.
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new this((a, b) => { resolve = a; reject = b; });
  return { promise, resolve, reject };
};
const { StateMachine } = require(process.argv[2]);

function states(machine, all = {}) {
  for (const [name, state] of Object.entries(machine.States)) {
    all[name] = state;
    for (const inner of [state.ItemProcessor, ...(state.Branches ?? [])]) if (inner) states(inner, all);
  }
  return all;
}

async function run({ definition, input, execution, responses }) {
  const calls = [], tasks = {}, pauses = {};
  for (const [name, state] of Object.entries(states(definition))) {
    if (state.Retry) pauses[name] = 0;
    if (state.Type !== "Task") continue;
    let number = 0;
    tasks[name] = async (given) => {
      calls.push([name, given]);
      const all = responses[name] ?? [];
      const response = all[Math.min(number++, all.length - 1)];
      if (!response) throw Object.assign(new Error(`no response for ${name}`), { name: "NoMock" });
      if (response.throw) throw Object.assign(new Error(response.throw.cause), { name: response.throw.error });
      return response.return;
    };
  }
  const machine = new StateMachine(definition, { validationOptions: { noValidate: true } });
  const running = machine.run(input, {
    overrides: { taskResourceLocalHandlers: tasks, retryIntervalOverrides: pauses },
    context: { Execution: execution },
  });
  try {
    return { status: "SUCCEEDED", output: await running.result, calls };
  } catch (error) {
    const inner = error.cause ?? error;
    return { status: "FAILED", error: inner.name, cause: inner.message, calls };
  }
}

(async () => {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  const answers = [];
  for (const one of JSON.parse(text)) answers.push(await run(one));
  process.stdout.write(JSON.stringify(answers), () => process.exit(0));
})();
