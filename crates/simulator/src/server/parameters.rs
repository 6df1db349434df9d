//! Query parameters in PHP's spelling: `status[]=1`, `status[0]=1`, `sort[id]=asc`.

use jiff::{civil, tz::TimeZone};

use super::answer::Refusal;

/// One parameter as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parameter {
    name: String,
    /// What stood in the brackets, if there were any.
    bracket: Option<String>,
    value: String,
}

/// All parameters of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<Parameter>);

impl Parameters {
    /// Decodes a query string. Broken percent-encoding and invalid UTF-8 are refused.
    pub(crate) fn parse(query: &str) -> Result<Self, Refusal> {
        let mut parameters = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            let (name, bracket) = match name.split_once('[') {
                Some((base, rest)) => {
                    (base.to_owned(), Some(rest.trim_end_matches(']').to_owned()))
                }
                None => (name, None),
            };
            parameters.push(Parameter {
                name,
                bracket,
                value,
            });
        }
        Ok(Self(parameters))
    }

    /// Refuses every parameter that is not in one of the lists.
    pub(crate) fn allow(&self, lists: &[&[&str]]) -> Result<(), Refusal> {
        let known = |name: &str| {
            name.eq_ignore_ascii_case("api-key") || lists.iter().any(|list| list.contains(&name))
        };
        match self.0.iter().find(|parameter| !known(&parameter.name)) {
            Some(extra) => Err(Refusal::bad(format!(
                "Method does not allow extra fields: '{}'",
                extra.name
            ))),
            None => Ok(()),
        }
    }

    /// The last value of a parameter; an empty one counts as not sent.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let last = self
            .0
            .iter()
            .rev()
            .find(|parameter| parameter.name == name)?;
        Some(last.value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a list parameter. Commas separate values only where no brackets were sent.
    pub(crate) fn many(&self, name: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|parameter| parameter.name == name)
            .flat_map(|parameter| {
                let separator = if parameter.bracket.is_some() {
                    '\u{0}'
                } else {
                    ','
                };
                parameter.value.split(separator)
            })
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// All values of a list of numbers.
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<u64>, Refusal> {
        self.many(name)
            .into_iter()
            .map(|value| value.parse().map_err(|_| wrong(name, value, "an integer")))
            .collect()
    }

    /// The key sent as a parameter (`API-Key` in any case).
    pub(crate) fn key(&self) -> Option<&str> {
        let key = self
            .0
            .iter()
            .find(|parameter| parameter.name.eq_ignore_ascii_case("api-key"))?;
        Some(&key.value)
    }

    /// A positive integer.
    pub(crate) fn positive(&self, name: &str) -> Result<Option<u64>, Refusal> {
        match self.one(name).map(|value| (value, value.parse::<u64>())) {
            None => Ok(None),
            Some((_, Ok(number))) if number > 0 => Ok(Some(number)),
            Some((value, _)) => Err(wrong(name, value, "an integer from 1")),
        }
    }

    /// A date.
    pub(crate) fn date(&self, name: &str) -> Result<Option<civil::Date>, Refusal> {
        self.one(name)
            .map(|value| {
                // The parser also takes times and other notations; the API does not.
                let plain =
                    value.len() == 10 && value.bytes().filter(|&byte| byte == b'-').count() == 2;
                plain
                    .then(|| value.parse().ok())
                    .flatten()
                    .ok_or_else(|| wrong(name, value, "a date YYYY-MM-DD"))
            })
            .transpose()
    }

    /// An hour of the day.
    pub(crate) fn hour(&self, name: &str) -> Result<Option<i8>, Refusal> {
        self.one(name)
            .map(|value| {
                value
                    .parse::<i8>()
                    .ok()
                    .filter(|hour| (0..24).contains(hour))
                    .ok_or_else(|| wrong(name, value, "an hour from 0 to 23"))
            })
            .transpose()
    }

    /// The zone the request speaks of; UTC if it names none.
    pub(crate) fn zone(&self) -> Result<TimeZone, Refusal> {
        match self.one("timezone") {
            None => Ok(TimeZone::UTC),
            Some(name) if name.eq_ignore_ascii_case("utc") => Ok(TimeZone::UTC),
            Some(name) => TimeZone::get(name).map_err(|_| wrong("timezone", name, "a time zone")),
        }
    }
}

fn wrong(name: &str, value: &str, wanted: &str) -> Refusal {
    Refusal::bad(format!(
        "Parameter '{name}' must be {wanted}, got '{value}'"
    ))
}

/// Undoes percent-encoding and `+`.
fn decode(text: &str) -> Result<String, Refusal> {
    let refused = || Refusal::bad("Malformed query string".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = rest
                    .get(..2)
                    .and_then(|digits| std::str::from_utf8(digits).ok());
                let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(code.ok_or_else(refused)?);
                rest = &rest[2..];
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Parameters {
        Parameters::parse(query).unwrap()
    }

    #[test]
    fn lists_come_in_every_spelling() {
        for query in [
            "status[]=1&status[]=2",
            "status[0]=1&status[1]=2",
            "status%5B%5D=1&status%5b0%5d=2",
            "status=1,2",
        ] {
            assert_eq!(parse(query).many("status"), ["1", "2"], "{query}");
        }
        assert_eq!(parse("q=a%2Bb+c%C5%81").one("q"), Some("a+b cŁ"));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(Parameters::parse("a=%zz").is_err());
        assert!(Parameters::parse("a=%").is_err());
        assert!(Parameters::parse("a=%E8%F1").is_err());
        assert!(parse("page=0").positive("page").is_err());
        assert!(parse("hour=24").hour("hour").is_err());
        assert!(parse("d=2026-1-6").date("d").is_err());
        assert!(parse("d=2026-02-30").date("d").is_err());
        assert!(parse("d=06-01-2026").date("d").is_err());
        assert!(parse("timezone=Mars/Base").zone().is_err());
        assert_eq!(parse("hour=23").hour("hour").unwrap(), Some(23));
    }

    #[test]
    fn extra_fields_are_named() {
        let refusal = parse("page=1&filter[date_from]=2026-01-01")
            .allow(&[&["page"]])
            .unwrap_err();
        assert_eq!(
            refusal.message(),
            "Method does not allow extra fields: 'filter'"
        );
        parse("page=1&API-KEY=x").allow(&[&["page"]]).unwrap();
    }
}
