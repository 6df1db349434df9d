//! The mock configuration file.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// A parsed mock configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct MockConfig {
    machines: IndexMap<String, IndexMap<String, IndexMap<String, String>>>,
    responses: IndexMap<String, Vec<(Attempts, Response)>>,
}

/// What a mocked call gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// `Return`.
    Return(Value),
    /// `Throw`.
    Throw {
        /// `Error`.
        error: String,
        /// `Cause`.
        cause: Option<String>,
    },
}

/// Calls of a state, from 0: the first and the last.
type Attempts = (u64, u64);

/// The mocks of one test case.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mocks {
    /// State name to the name and the responses of its mocked response.
    states: HashMap<String, (String, Vec<(Attempts, Response)>)>,
    /// The test case's name, for messages.
    test_case: String,
}

/// A mock configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MockError {
    /// The file is not what it should be.
    #[error("the mock configuration is not usable: {0}; see AWS's MockConfigFile.json format")]
    Invalid(String),
    /// No state machine fits.
    #[error("the mock configuration has no state machine for {wanted:?}; it has {known}")]
    NoMachine {
        /// What was looked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// No test case fits.
    #[error("the mock configuration has no test case {wanted:?} for {machine:?}; it has {known}")]
    NoTestCase {
        /// What was looked for.
        wanted: String,
        /// The state machine.
        machine: String,
        /// What there is.
        known: String,
    },
    /// Several would fit.
    #[error("{machine:?} has several test cases ({known}); name one as FILE#TESTCASE")]
    Ambiguous {
        /// The state machine.
        machine: String,
        /// What there is.
        known: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    #[serde(rename = "StateMachines")]
    machines: IndexMap<String, RawMachine>,
    #[serde(rename = "MockedResponses", default)]
    responses: IndexMap<String, IndexMap<String, RawResponse>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMachine {
    #[serde(rename = "TestCases")]
    test_cases: IndexMap<String, IndexMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawResponse {
    #[serde(rename = "Return", default, deserialize_with = "present")]
    give: Option<Value>,
    #[serde(rename = "Throw")]
    throw: Option<RawThrow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawThrow {
    #[serde(rename = "Error")]
    error: String,
    #[serde(rename = "Cause")]
    cause: Option<String>,
}

/// Keeps `"Return": null` apart from no `Return`.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl MockConfig {
    /// Parses a mock configuration.
    ///
    /// # Errors
    /// When the text is no mock configuration, or names mocked responses that do not exist.
    pub fn parse(text: &str) -> Result<MockConfig, MockError> {
        let raw: RawConfig =
            serde_json::from_str(text).map_err(|error| MockError::Invalid(error.to_string()))?;
        let mut responses = IndexMap::new();
        for (name, attempts) in raw.responses {
            let mut parsed = Vec::with_capacity(attempts.len());
            for (attempt, response) in attempts {
                let attempts = parse_attempts(&attempt).ok_or_else(|| {
                    MockError::Invalid(format!(
                        "{attempt:?} in {name:?} is neither an attempt such as \"0\" nor a range such as \"1-2\""
                    ))
                })?;
                let response = match (response.give, response.throw) {
                    (Some(value), None) => Response::Return(value),
                    (None, Some(throw)) => Response::Throw {
                        error: throw.error,
                        cause: throw.cause,
                    },
                    _ => {
                        return Err(MockError::Invalid(format!(
                            "attempt {attempt:?} of {name:?} needs either Return or Throw"
                        )));
                    }
                };
                parsed.push((attempts, response));
            }
            responses.insert(name, parsed);
        }
        let machines: IndexMap<_, _> = raw
            .machines
            .into_iter()
            .map(|(name, machine)| (name, machine.test_cases))
            .collect();
        let config = MockConfig {
            machines,
            responses,
        };
        config.check_names()?;
        Ok(config)
    }

    fn check_names(&self) -> Result<(), MockError> {
        for (machine, cases) in &self.machines {
            for (case, states) in cases {
                for (state, response) in states {
                    if !self.responses.contains_key(response) {
                        return Err(MockError::Invalid(format!(
                            "{machine}/{case} mocks the state {state:?} with {response:?}, which MockedResponses does not have"
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// The mocks of a test case. The state machine is the one called `machine`, or the only one; without
    /// `test_case` it is the only test case.
    ///
    /// # Errors
    /// When nothing fits, or more than one.
    pub fn test_case(&self, machine: &str, test_case: Option<&str>) -> Result<Mocks, MockError> {
        let (machine, cases) = match (self.machines.get_key_value(machine), self.machines.len()) {
            (Some(found), _) => found,
            (None, 1) => self
                .machines
                .first()
                .ok_or_else(|| self.no_machine(machine))?,
            _ => return Err(self.no_machine(machine)),
        };
        let known = || names(cases.keys());
        let (name, states) = match test_case {
            Some(wanted) => cases
                .get_key_value(wanted)
                .ok_or_else(|| MockError::NoTestCase {
                    wanted: wanted.to_owned(),
                    machine: machine.clone(),
                    known: known(),
                })?,
            None if cases.len() > 1 => {
                return Err(MockError::Ambiguous {
                    machine: machine.clone(),
                    known: known(),
                });
            }
            None => cases.first().ok_or_else(|| MockError::NoTestCase {
                wanted: String::new(),
                machine: machine.clone(),
                known: known(),
            })?,
        };
        Ok(Mocks {
            test_case: name.clone(),
            states: states
                .iter()
                .map(|(state, response)| {
                    let responses = self.responses.get(response).cloned().unwrap_or_default();
                    (state.clone(), (response.clone(), responses))
                })
                .collect(),
        })
    }

    fn no_machine(&self, wanted: &str) -> MockError {
        MockError::NoMachine {
            wanted: wanted.to_owned(),
            known: names(self.machines.keys()),
        }
    }
}

fn names<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn parse_attempts(text: &str) -> Option<Attempts> {
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (first.trim().parse().ok()?, last.trim().parse().ok()?),
        None => {
            let only = text.trim().parse().ok()?;
            (only, only)
        }
    };
    (first <= last).then_some((first, last))
}

impl Mocks {
    /// What the `call`-th call (from 0) of a state gives, or why it gives nothing.
    ///
    /// # Errors
    /// A text that names the state.
    pub fn response(&self, state: &str, call: u64) -> Result<&Response, String> {
        let Some((name, responses)) = self.states.get(state) else {
            return Err(if self.test_case.is_empty() {
                format!("The task state '{state}' has no mock: give one with --mocks FILE.")
            } else {
                format!(
                    "The task state '{state}' has no mock in the test case '{}'.",
                    self.test_case
                )
            });
        };
        responses
            .iter()
            .find(|((first, last), _)| (*first..=*last).contains(&call))
            .map(|(_, response)| response)
            .ok_or_else(|| {
                format!(
                    "The task state '{state}' was called for attempt {call}, which its mocked response '{name}' does not list."
                )
            })
    }
}
