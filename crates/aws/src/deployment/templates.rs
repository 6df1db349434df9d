//! The CloudFormation templates, as they ship with the program.

use lakehand_config::Profile;

use super::tables;

/// A stack of a deployment, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stack {
    /// Key and buckets.
    DataStorage,
    /// Database, tables of silver, crawlers.
    Glue,
    /// Notices, dead letters, workgroup.
    CommonResources,
    /// Functions and their roles.
    TransformationResources,
    /// State machines, schedules, rules, alarms.
    Orchestration,
}

/// The line of the `glue` template below which a profile's own reports are listed.
const REPORTS: &str = "              # and the reports of the profile\n";
/// The line before which their tables stand.
const END_OF_TABLES: &str = "  # end of tables\n";

impl Stack {
    /// All of them, in the order in which they are made; they are taken away in the other one.
    pub const ALL: [Self; 5] = [
        Self::DataStorage,
        Self::Glue,
        Self::CommonResources,
        Self::TransformationResources,
        Self::Orchestration,
    ];

    /// `data-storage`, as the file and the end of the stack's name are called.
    #[must_use]
    pub fn part(self) -> &'static str {
        match self {
            Self::DataStorage => "data-storage",
            Self::Glue => "glue",
            Self::CommonResources => "common-resources",
            Self::TransformationResources => "transformation-resources",
            Self::Orchestration => "orchestration",
        }
    }

    /// The template as it lies in `assets/stacks/`.
    #[must_use]
    pub fn asset(self) -> &'static str {
        match self {
            Self::DataStorage => include_str!("../../../../assets/stacks/data-storage.yaml"),
            Self::Glue => include_str!("../../../../assets/stacks/glue.yaml"),
            Self::CommonResources => {
                include_str!("../../../../assets/stacks/common-resources.yaml")
            }
            Self::TransformationResources => {
                include_str!("../../../../assets/stacks/transformation-resources.yaml")
            }
            Self::Orchestration => include_str!("../../../../assets/stacks/orchestration.yaml"),
        }
    }

    /// The template for a profile: `glue` has its Google Analytics reports as tables too.
    #[must_use]
    pub fn template(self, profile: &Profile) -> String {
        let asset = self.asset();
        if self != Self::Glue {
            return asset.to_owned();
        }
        let (mut listed, mut made) = (String::new(), String::new());
        for table in tables::reports(profile) {
            let schema = tables::report_schema(profile, table);
            listed.push_str(&format!(
                "              - !Ref {}\n",
                tables::logical_id(table)
            ));
            made.push_str(&format!("\n{}", tables::resource(table, &schema)));
        }
        asset
            .replace(REPORTS, &listed)
            .replace(END_OF_TABLES, &made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehand_config::{Config, Home};

    const START_OF_TABLES: &str = "  # tables\n";

    #[test]
    fn the_tables_of_the_template_are_those_of_the_contract() {
        let asset = Stack::Glue.asset();
        let (before, rest) = asset.split_once(START_OF_TABLES).unwrap();
        let (tables, after) = rest.split_once(END_OF_TABLES).unwrap();
        let wanted = tables::fixed();
        if std::env::var_os("LAKEHAND_BLESS").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/stacks/glue.yaml");
            let text = format!("{before}{START_OF_TABLES}{wanted}{END_OF_TABLES}{after}");
            std::fs::write(path, text).unwrap();
            return;
        }
        assert!(
            tables == wanted,
            "the contract of silver changed: run this test with LAKEHAND_BLESS=1"
        );
    }

    #[test]
    fn a_profiles_reports_are_tables_that_both_crawlers_know() {
        let text = r#"
[profiles.prod.ga4]
[[profiles.prod.ga4.reports]]
name = "by_source"
properties = [{ business_unit = "de", property = "1" }]
dimensions = ["sessionSource"]
metrics = ["sessions"]
"#;
        let home = Home::below(std::path::Path::new("/nowhere"));
        let config = Config::parse(text, &home).unwrap();
        let template = Stack::Glue.template(config.profile(Some("prod")).unwrap());
        assert_eq!(template.matches("- !Ref GaReportbyZsource\n").count(), 2);
        assert!(template.contains("        Name: ga_by_source\n"));
        assert!(template.contains("{Name: session_source, Type: string}"));
        assert!(!template.contains("the reports of the profile"));
        assert!(
            template.len() < 51_200,
            "CloudFormation takes no more in a call"
        );
        let plain = Stack::Glue.template(config.profile(Some("local")).unwrap());
        assert!(!plain.contains("GaReport"));
    }
}
