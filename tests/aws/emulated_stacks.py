"""CloudFormation of the emulator, mended where moto 5.2.5 differs from AWS; imported by aws_emulator.py.

- Stacks that a change set makes have outputs, and know their template and parameters afterwards.
- A change set sees changed parameters, and is empty when only defaults are spelled out.
- A stack that is in review takes another change set; moto would make a second stack of the same name.
- State machines land where executions run, with the definition that lies in S3.
- Databases, tables and crawlers of Glue, and workgroups of Athena, are made at all.
"""
import json

import moto.cloudformation.models as cfn
from moto.athena.models import athena_backends
from moto.core.common_models import CloudFormationModel
from moto.glue.models import glue_backends
from moto.s3.models import s3_backends
from moto.stepfunctions.models import StateMachine
from moto.stepfunctions.parser.models import stepfunctions_parser_backends


def apply(self):
    stack = self.stack
    stack.resource_map.update(self.template_dict, self.parameters)
    stack.template, stack.parameters = self.template, self.parameters
    stack._parse_template()
    stack.output_map = stack._create_output_map()


cfn.ChangeSet.apply = apply


def diff(self):
    resources = self.stack.resource_map
    names = resources.build_resource_diff(self.template_dict, changed(self.stack, self.parameters))
    kind = lambda name: (self.template_dict["Resources"].get(name) or resources._resource_json_map[name])["Type"]
    return [cfn.Change(action=action, logical_resource_id=name, resource_type=kind(name)) for action, all in names.items() for name in dict.fromkeys(all)]


cfn.ChangeSet.diff = diff


moto_create_change_set = cfn.CloudFormationBackend.create_change_set


def create_change_set(self, stack_name, **given):
    if given["change_set_type"] == "CREATE":
        for stack in [stack for stack in self.stacks.values() if (stack.name, stack.status) == (stack_name, "REVIEW_IN_PROGRESS")]:
            del self.stacks[stack.stack_id]
    return moto_create_change_set(self, stack_name=stack_name, **given)


cfn.CloudFormationBackend.create_change_set = create_change_set


def changed(stack, others):
    """The parameters whose values differ, whether they were given before or are the template's defaults."""
    text = lambda value: ",".join(value) if isinstance(value, list) else str(value)
    return {name: value for name, value in others.items() if text(stack.stack_parameters.get(name, "")) != text(value)}


def has_parameters(self, others):
    return not changed(self, others)


cfn.Stack.has_parameters = has_parameters


def state_machine(cls, resource_name, cloudformation_json, account_id, region_name, **_):
    properties = cloudformation_json["Properties"]
    place = properties.get("DefinitionS3Location")
    if place:
        definition = s3_backends[account_id]["aws"].get_object(place["Bucket"], place["Key"]).value.decode()
    else:
        definition = json.dumps(properties["Definition"])
    backend = stepfunctions_parser_backends[account_id][region_name]
    return backend.create_state_machine(properties["StateMachineName"], definition, properties["RoleArn"])


def state_machine_update(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
    state_machine_delete(cls, original_resource.arn, None, account_id, region_name)
    return state_machine(cls, new_resource_name, cloudformation_json, account_id, region_name)


def state_machine_delete(cls, resource_name, cloudformation_json, account_id, region_name):
    stepfunctions_parser_backends[account_id][region_name].delete_state_machine(resource_name)


StateMachine.create_from_cloudformation_json = classmethod(state_machine)
StateMachine.update_from_cloudformation_json = classmethod(state_machine_update)
StateMachine.delete_from_cloudformation_json = classmethod(state_machine_delete)


def model(kind, make, remove):
    """A resource that moto's templates do not know: made and removed by two functions."""

    class Made(CloudFormationModel):
        __module__ = "moto.glue.models"  # moto files instances by the second word

        def __init__(self, name):
            self.physical_resource_id = name

        @staticmethod
        def cloudformation_name_type():
            return ""

        @staticmethod
        def cloudformation_type():
            return kind

        @classmethod
        def has_cfn_attr(cls, attr):
            return False

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            return cls(make(cloudformation_json["Properties"], account_id, region_name))

        @classmethod
        def update_from_cloudformation_json(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
            remove(original_resource.physical_resource_id, account_id, region_name)
            return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)

        @classmethod
        def delete_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name):
            remove(resource_name, account_id, region_name)

    return Made


def make_database(properties, account, region):
    given = properties["DatabaseInput"]
    glue_backends[account][region].create_database(given["Name"], given)
    return given["Name"]


class TableName(str):
    """The name alone, as `Ref` gives it; the database is remembered for the deletion."""


def make_table(properties, account, region):
    given, database = properties["TableInput"], properties["DatabaseName"]
    glue_backends[account][region].create_table(database, given["Name"], given)
    name = TableName(given["Name"])
    name.database = database
    return name


def make_crawler(properties, account, region):
    glue_backends[account][region].create_crawler(
        properties["Name"], properties["Role"], properties["DatabaseName"], properties.get("Description", ""), properties["Targets"], "", [], "",
        properties.get("SchemaChangePolicy", {}), {}, {}, properties.get("Configuration", ""), "", {})
    return properties["Name"]


def make_workgroup(properties, account, region):
    athena_backends[account][region].create_work_group(properties["Name"], properties["WorkGroupConfiguration"], properties.get("Description", ""), [])
    return properties["Name"]


def remove_table(name, account, region):
    if name.database in glue_backends[account][region].databases:
        glue_backends[account][region].delete_table(name.database, name)


# moto finds models by their class; whoever holds none is forgotten by Python.
MADE = [
    model("AWS::Glue::Database", make_database, lambda name, account, region: glue_backends[account][region].databases.pop(name, None)),
    model("AWS::Glue::Table", make_table, remove_table),
    model("AWS::Glue::Crawler", make_crawler, lambda name, account, region: glue_backends[account][region].crawlers.pop(name, None)),
    model("AWS::Athena::WorkGroup", make_workgroup, lambda name, account, region: athena_backends[account][region].work_groups.pop(name, None)),
]
