"""Runs state machines in moto's interpreter of the Amazon States Language (a fork of LocalStack's), in process.
Standard input: [{definition, input, execution, responses: {State: [{return} | {throw: {error, cause}}]}}].
Standard output: for each, its end and the effective parameters of every task call, by state.

Tasks are answered here and nothing is waited for; everything else is moto's own, with the mends of
tests/aws/states_language.py, which the emulator has too.  Patches moto 5.2.5: pin that version.
"""
import copy, json, logging, pathlib, sys, threading, types

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "aws"))
import states_language  # noqa: F401  mends moto

from moto.stepfunctions.parser.api import HistoryEventType, StateMachineType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import StateTaskServiceCallback
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_activitiy import StateTaskActivity
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import StateTaskLambda
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails, EvaluationDetails, ExecutionDetails, StateMachineDetails
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError
from moto.stepfunctions.parser.backend.execution_worker import SyncExecutionWorker
from moto.stepfunctions.parser.backend.execution_worker_comm import ExecutionWorkerCommunication

STARTED = "2026-11-21T09:00:00Z"

logging.disable()                            # every failure that a Retry or Catch then handles
retrier_decl.time = types.SimpleNamespace(sleep=lambda seconds: None)
WaitFunction._wait_interval = lambda self, env, wait_seconds: None


class Answers:
    """What the tasks of one execution answer, and what they were called with; iterations of a Map call side by side."""

    def __init__(self, responses):
        self.responses, self.calls, self.lock = responses, [], threading.Lock()

    def next(self, state, parameters):
        with self.lock:
            number = sum(name == state for name, _ in self.calls)
            self.calls.append([state, parameters])
        known = self.responses.get(state) or [{"throw": {"error": "NoMock", "cause": f"no response for {state}"}}]
        return copy.deepcopy(known[min(number, len(known) - 1)])


def failure(env, error, cause):
    name = StatesErrorName.from_name(error) if error.startswith("States.") else CustomErrorName(error)
    details = EventDetails(taskFailedEventDetails=TaskFailedEventDetails(error=error, cause=cause))
    return FailureEventException(FailureEvent(env=env, error_name=name, event_type=HistoryEventType.TaskFailed, event_details=details))


def answered(self, env):
    response = answers.next(self.name, copy.deepcopy(self._eval_parameters(env)))
    if thrown := response.get("throw"):
        raise failure(env, thrown["error"], thrown["cause"])
    env.stack.append(response["return"])


for kind in (StateTaskService, StateTaskLambda, StateTaskActivity):
    kind._eval_execution = answered
# Which integrations moto can wait for (.sync) is not asked where none is called.
StateTaskServiceCallback._assert_integration_pattern_is_supported = lambda self: None


class Unobserved(ExecutionWorkerCommunication):
    def terminated(self):
        pass


def worker(one):
    execution = one["execution"]
    arn, name, role = execution["Id"], execution["Name"], execution["RoleArn"]
    _, _, _, region, account, _, machine, _ = arn.split(":")
    machine_arn = f"arn:aws:states:{region}:{account}:stateMachine:{machine}"
    details = EvaluationDetails(
        AWSExecutionDetails(account, region, role), ExecutionDetails(arn, name, role, one["input"], STARTED),
        StateMachineDetails(machine_arn, machine, StateMachineType.STANDARD, json.dumps(one["definition"], ensure_ascii=False)))
    return SyncExecutionWorker(details, Unobserved(), None, {})


def end(env):
    state = env.program_state()
    if isinstance(state, ProgramEnded):
        return {"status": "SUCCEEDED", "output": env.states.get_input()}
    assert isinstance(state, ProgramError), state
    return {"status": "FAILED", "error": state.error.get("error"), "cause": state.error.get("cause")}


ends = []
for one in json.load(sys.stdin.buffer):
    answers, running = Answers(one["responses"]), worker(one)
    running.start()
    ends.append(dict(end(running.env), calls=answers.calls))
json.dump(ends, sys.stdout)
