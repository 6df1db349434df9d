//! SQL inside workflow definitions: `${sql:FILE?parameter=$.path&…}` becomes the statement.

use serde_json::Value;

use super::{GoldError, SqlFiles};

/// Replaces every `${sql:…}` value of a definition.
///
/// Under a key that ends with `.$` it becomes `States.Format('…', $.path, …)`; under any other key, or when no
/// parameter is bound to a path, the statement itself (and the key loses its `.$`).
///
/// # Errors
/// [`GoldError::BadDefinition`] when the text is no JSON; otherwise what [`SqlFiles::states_format`] says.
pub fn render_workflow(asl_text: &str) -> Result<String, GoldError> {
    render_workflow_with(&SqlFiles::embedded(), asl_text)
}

/// [`render_workflow`] with a deployment's own SQL files.
///
/// # Errors
/// See [`render_workflow`].
pub fn render_workflow_with(files: &SqlFiles, asl_text: &str) -> Result<String, GoldError> {
    if !asl_text.contains("${sql:") {
        return Ok(asl_text.to_owned());
    }
    let bad = |error: serde_json::Error| GoldError::BadDefinition {
        why: error.to_string(),
    };
    let mut definition: Value = serde_json::from_str(asl_text).map_err(bad)?;
    replace(files, &mut definition)?;
    serde_json::to_string_pretty(&definition).map_err(bad)
}

fn replace(files: &SqlFiles, value: &mut Value) -> Result<(), GoldError> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| replace(files, item)),
        Value::Object(map) => {
            let mut new = serde_json::Map::with_capacity(map.len());
            for (key, mut value) in std::mem::take(map) {
                match value
                    .as_str()
                    .and_then(|text| text.strip_prefix("${sql:")?.strip_suffix('}'))
                {
                    Some(reference) => {
                        let (key, text) = statement(files, key, reference)?;
                        new.insert(key, Value::String(text));
                    }
                    None => {
                        replace(files, &mut value)?;
                        new.insert(key, value);
                    }
                }
            }
            *map = new;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn statement(
    files: &SqlFiles,
    key: String,
    reference: &str,
) -> Result<(String, String), GoldError> {
    let (path, query) = reference.split_once('?').unwrap_or((reference, ""));
    let bindings: Vec<(&str, &str)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    if !bindings.iter().any(|(_, value)| value.starts_with('$')) {
        let key = key
            .strip_suffix(".$")
            .map_or_else(|| key.clone(), str::to_owned);
        return Ok((key, files.render(path, &bindings)?));
    }
    if !key.ends_with(".$") {
        let why =
            format!("\"{key}\" of {path} binds JSONPaths, so it has to be called \"{key}.$\"");
        return Err(GoldError::BadDefinition { why });
    }
    Ok((key, files.states_format(path, &bindings)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_become_intrinsics_and_statements() {
        let asl = r#"{"States":{"A":{"Parameters":{
            "QueryString.$":"${sql:daily_report_sub5/replace_window_delete.sql?from=$.window.from&to=2026-01-07}",
            "Other":"${StdBucket}"}},
            "B":[{"QueryString":"${sql:daily_report_sub5/ddl.sql}"},{"Q.$":"${sql:daily_report_sub5/drop_staging.sql?staging=s}"}]}}"#;
        let rendered: Value = serde_json::from_str(&render_workflow(asl).unwrap()).unwrap();
        let parameters = &rendered["States"]["A"]["Parameters"];
        assert_eq!(
            parameters["QueryString.$"],
            "States.Format('DELETE FROM daily_report_sub5 WHERE datestamp BETWEEN date \\'{}\\' AND date \\'2026-01-07\\'', $.window.from)"
        );
        assert_eq!(parameters["Other"], "${StdBucket}");
        let ddl = rendered["States"]["B"][0]["QueryString"].as_str().unwrap();
        assert!(
            ddl.contains("LOCATION 's3://${StdBucket}/gold/daily_report_sub5/'"),
            "{ddl}"
        );
        assert_eq!(rendered["States"]["B"][1]["Q"], "DROP TABLE IF EXISTS s");
    }

    #[test]
    fn mistakes_are_named() {
        for (asl, part) in [
            (r#"{"a":"${sql:nothing.sql}"}"#, "nothing.sql"),
            (
                r#"{"a":"${sql:daily_report_sub5/drop_staging.sql?staging=$.s}"}"#,
                "a.$",
            ),
            (
                r#"{"a.$":"${sql:daily_report_sub5/export.sql?from=$.f}"}"#,
                ":to",
            ),
            (r#"{"a":"${sql:"#, "EOF"),
        ] {
            let error = render_workflow(asl).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
