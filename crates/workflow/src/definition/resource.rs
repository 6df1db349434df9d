//! What a Task calls, by its ARN: a function, an activity, a service.

use super::fields::Fields;
use super::parse::Parser;
use super::source::{Kind, Node};
use super::types::{Resource, ResourceKind};
use serde_json::Value;

/// How a service may be called besides request and response.
const PATTERNS: [&str; 3] = ["sync", "sync:2", "waitForTaskToken"];

/// Tells the kind of resource by its ARN.
pub(super) fn classify(arn: &str) -> Option<Resource> {
    let resource = |kind| {
        Some(Resource {
            arn: arn.to_owned(),
            kind,
        })
    };
    // A CloudFormation or Terraform placeholder stands for a function's ARN, or for its beginning.
    if arn.starts_with("${") && arn.contains('}') {
        return resource(ResourceKind::Lambda);
    }
    let filled = without_placeholders(arn);
    let parts: Vec<&str> = filled.splitn(6, ':').collect();
    let [scheme, partition, service, _, _, rest] = parts.as_slice() else {
        return None;
    };
    if *scheme != "arn" || partition.is_empty() || rest.is_empty() {
        return None;
    }
    match *service {
        "lambda" => resource(ResourceKind::Lambda),
        "states" if rest.starts_with("activity:") => resource(ResourceKind::Activity),
        "states" => {
            let (service, action) = match rest.strip_prefix("aws-sdk:") {
                Some(sdk) => {
                    let (service, action) = sdk.split_once(':')?;
                    (format!("aws-sdk:{service}"), action)
                }
                None => {
                    let (service, action) = rest.split_once(':')?;
                    (service.to_owned(), action)
                }
            };
            if service.is_empty() || action.is_empty() {
                return None;
            }
            resource(ResourceKind::Service {
                service,
                action: action.to_owned(),
            })
        }
        _ => None,
    }
}

/// `arn:${AWS::Partition}:states:…` with a plain word for the placeholder, whose colons part nothing.
fn without_placeholders(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let Some(end) = rest[at..].find('}') else {
            break;
        };
        filled.push_str(&rest[..at]);
        filled.push('x');
        rest = &rest[at + end + 1..];
    }
    filled + rest
}

/// What is wrong with the way a service is called: `lambda:invoke.snyc`.
pub(super) fn wrong_pattern(resource: &Resource) -> Option<String> {
    let ResourceKind::Service { action, .. } = &resource.kind else {
        return None;
    };
    let (_, pattern) = action.split_once('.')?;
    (!PATTERNS.contains(&pattern)).then(|| {
        format!(
            "there is no way to call a service named .{pattern}; it is .{}, or nothing",
            PATTERNS.join(", .")
        )
    })
}

impl Parser<'_> {
    /// Warns of function aliases and versions that cannot be ones.
    pub(super) fn warn_of_qualifiers(&mut self, fields: &Fields<'_>, resource: &Resource) {
        match &resource.kind {
            ResourceKind::Lambda => {
                if let Some(node) = fields.peek("Resource") {
                    self.warn_of_qualifier(&resource.arn, node.offset, &fields.at("Resource"));
                }
            }
            ResourceKind::Service { service, .. } if service == "lambda" => {
                let arguments = if fields.jsonata {
                    "Arguments"
                } else {
                    "Parameters"
                };
                let node = fields.peek(arguments).and_then(function_name);
                if let Some((node, name)) = node {
                    let pointer = format!("{}/FunctionName", fields.at(arguments));
                    self.warn_of_qualifier(name, node.offset, &pointer);
                }
            }
            _ => {}
        }
    }

    fn warn_of_qualifier(&mut self, function: &str, offset: usize, pointer: &str) {
        if let Some(what) = qualifier_fault(function) {
            let message = format!(
                "{function:?} {what}; an alias has letters, digits, - and _, a version is a number or $LATEST"
            );
            let warning = self.problems.at(offset, pointer, message);
            self.problems.warnings.push(warning);
        }
    }
}

fn function_name(arguments: &Node) -> Option<(&Node, &str)> {
    let Kind::Object(members) = &arguments.kind else {
        return None;
    };
    let name = members
        .iter()
        .find(|member| member.name == "FunctionName")?;
    match &name.value.kind {
        Kind::Scalar(Value::String(text)) if !text.starts_with("{%") => Some((&name.value, text)),
        _ => None,
    }
}

/// What is wrong after the name of a function given as ARN, `account:function:name` or name.
fn qualifier_fault(function: &str) -> Option<&'static str> {
    let filled = without_placeholders(function);
    let name = match filled.split_once("function:") {
        Some((_, name)) => name,
        None if filled.starts_with("arn:") => return Some("is not the ARN of a function"),
        None => &filled,
    };
    let (_, qualifier) = name.split_once(':')?;
    let word = |text: &str| {
        text.chars()
            .all(|found| found.is_ascii_alphanumeric() || "-_".contains(found))
    };
    match qualifier {
        "" => Some("ends in a colon without an alias or version"),
        "$LATEST" | "$LATEST.PUBLISHED" => None,
        more if more.contains(':') => Some("has more than one alias or version"),
        one if !word(one) || one.len() > 128 => Some("has a malformed alias"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_aliases_are_told_from_good_ones() {
        for good in [
            "collect",
            "collect:live",
            "collect:42",
            "arn:aws:lambda:eu-west-1:1:function:collect:$LATEST",
            "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:collect:${Alias}",
            "123456789012:function:collect:blue_green-1",
            "${CollectFunctionArn}",
            "${CollectFunctionArn}:$LATEST",
        ] {
            assert_eq!(qualifier_fault(good), None, "{good}");
        }
        for bad in [
            "collect:",
            "collect:a:b",
            "arn:aws:lambda:eu-west-1:1:function:collect:my alias",
            "arn:aws:lambda:eu-west-1:1:function:collect:$LATST",
            "arn:aws:lambda:eu-west-1:1:layer:collect",
        ] {
            assert!(qualifier_fault(bad).is_some(), "{bad}");
        }
    }
}
