"""The States Language of moto 5.2.5, mended where it differs from AWS; imported by aws_emulator.py, where state machines
run, and by tests/templates/moto_interpreter.py, where moto is a second opinion about our interpreter.

- Intrinsic functions: moto parses the text as it stands in the JSON file, escapes and all, and keeps a backslash before
  a quote or a bracket; the States Language takes the JSON string, and the backslash away.
- A path that can only lead to one value gives that value: `$.ledgers.branch[0].pending` is a reference path of the
  States Language. moto gives a list of one where an index stands before the last name.
"""
import json, re, sys

import moto.stepfunctions.parser.asl.parse.preprocessor as asl_preprocessor
from jsonpath_ng.jsonpath import Child, Fields, Index, Root
from moto.stepfunctions.parser.asl.component.intrinsic.function.statesfunction.generic.string_format import StringFormat
from moto.stepfunctions.parser.asl.utils import json_path

intrinsic_parser = asl_preprocessor.IntrinsicParser


class JsonIntrinsicParser:
    @staticmethod
    def parse(text):
        return intrinsic_parser.parse(json.loads(f'"{text}"'))


asl_preprocessor.IntrinsicParser = JsonIntrinsicParser


def states_format(self, env):
    self.argument_list.eval(env=env)
    template, *values = env.stack.pop()
    values = iter([StringFormat._to_str_repr(value) for value in values])
    pieces = re.findall(r"\\(.)|(\{\})|([^\\{]+|\{)", template, re.DOTALL)
    env.stack.append("".join(escaped or (next(values) if hole else plain) for escaped, hole, plain in pieces))


StringFormat._eval_body = states_format


def leads_to_one(path):                      # names and single indexes only: no wildcard, slice, filter or search
    match path:
        case Child():
            return leads_to_one(path.left) and leads_to_one(path.right)
        case Fields():
            return len(path.fields) == 1
        case Index():
            return len(path.indices) == 1
    return isinstance(path, Root)


moto_extract = json_path.extract_json


def extract_json(path, data):
    parsed = json_path.parse(path)
    found = parsed.find(data) if leads_to_one(parsed) else []
    return found[0].value if found else moto_extract(path, data)


for name, module in list(sys.modules.items()):       # everyone has imported it by its name already
    if name.startswith("moto.stepfunctions.") and getattr(module, "extract_json", None) is moto_extract:
        module.extract_json = extract_json
