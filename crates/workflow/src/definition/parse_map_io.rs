//! Where a distributed Map reads its items and writes its results: `ItemReader`, `ResultWriter`.

use super::fields::Fields;
use super::parse::Parser;
use super::resource::classify;
use super::types::ResourceKind;

impl Parser<'_> {
    /// `ItemReader`; gives the call that reads.
    pub(super) fn reader(&mut self, fields: &mut Fields<'_>) -> Option<String> {
        const NAME: &str = "ItemReader";
        let (mut inner, call) = self.mover(fields, NAME)?;
        if call.is_none() && !inner.has("Resource") {
            let what = "the call that reads the items, such as arn:aws:states:::s3:getObject";
            inner.missing("Resource", what, &mut self.problems);
        }
        if let Some(member) = inner.take("ReaderConfig") {
            let pointer = inner.at("ReaderConfig");
            if let Some(mut config) = Fields::open(&member.value, &pointer, &mut self.problems) {
                self.reader_config(&mut config);
                config.finish("ReaderConfig", &mut self.problems);
            }
        }
        inner.finish(NAME, &mut self.problems);
        call
    }

    fn reader_config(&mut self, config: &mut Fields<'_>) {
        const KINDS: [&str; 5] = ["CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"];
        const HEADERS: [&str; 2] = ["FIRST_ROW", "GIVEN"];
        self.comment(config);
        self.one_of(config, "InputType", &KINDS);
        self.one_of(config, "Transformation", &["NONE", "LOAD_AND_FLATTEN"]);
        self.one_of(config, "ManifestType", &["ATHENA_DATA", "S3_INVENTORY"]);
        let header = self.one_of(config, "CSVHeaderLocation", &HEADERS);
        let delimiters = ["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"];
        self.one_of(config, "CSVDelimiter", &delimiters);
        config.array("CSVHeaders", &mut self.problems);
        if header == Some("GIVEN") && !config.has("CSVHeaders") {
            let what = "CSVHeaderLocation is GIVEN, so give the names of the columns";
            config.missing("CSVHeaders", what, &mut self.problems);
        }
        config.string("ItemsPointer", &mut self.problems);
        self.limit(config, "MaxItems", "MaxItemsPath", f64::INFINITY, true);
    }

    /// `ResultWriter`; gives the call that writes, or "the output" when it only shapes the results.
    pub(super) fn writer(&mut self, fields: &mut Fields<'_>) -> Option<String> {
        const NAME: &str = "ResultWriter";
        let (mut inner, call) = self.mover(fields, NAME)?;
        let shaped = inner.take("WriterConfig");
        if let Some(member) = shaped {
            let pointer = inner.at("WriterConfig");
            if let Some(mut config) = Fields::open(&member.value, &pointer, &mut self.problems) {
                self.comment(&mut config);
                self.one_of(
                    &mut config,
                    "Transformation",
                    &["NONE", "COMPACT", "FLATTEN"],
                );
                self.one_of(&mut config, "OutputType", &["JSON", "JSONL"]);
                config.finish("WriterConfig", &mut self.problems);
            }
        }
        if shaped.is_none() && !inner.has("Resource") {
            let what = "the call that writes the results, such as arn:aws:states:::s3:putObject";
            inner.missing("Resource", what, &mut self.problems);
        }
        inner.finish(NAME, &mut self.problems);
        Some(call.unwrap_or_else(|| "the output".to_owned()))
    }

    /// What both have: a call and its arguments.
    fn mover<'n>(
        &mut self,
        fields: &mut Fields<'n>,
        name: &'static str,
    ) -> Option<(Fields<'n>, Option<String>)> {
        let member = fields.take(name)?;
        let pointer = fields.at(name);
        self.refuse(member.value.offset, &pointer, name);
        let mut inner = Fields::open(&member.value, &pointer, &mut self.problems)?;
        self.comment(&mut inner);
        self.arguments(&mut inner);
        let call = inner.string("Resource", &mut self.problems);
        let call = call.and_then(|(arn, offset)| match classify(arn).map(|found| found.kind) {
            Some(ResourceKind::Service { service, action }) => Some(format!("{service}:{action}")),
            _ => {
                let message = format!(
                    "{arn:?} is not the ARN of a service call, such as arn:aws:states:::s3:getObject"
                );
                self.problems.add(offset, &inner.at("Resource"), message);
                None
            }
        });
        Some((inner, call))
    }
}
