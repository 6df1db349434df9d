//! What has a name, for the help of the verbs that take one: nobody has to guess a wrong one to see the list.

use crate::{
    pipeline::dataset::{GoldTable, SilverTable, Stream},
    platform::definitions::BUILT_IN,
};

/// The workflows.
pub fn workflows() -> String {
    let names = BUILT_IN.map(|(name, _)| name).join(", ");
    format!(
        "Workflows: {names}; and NAME for each file workflows/NAME.asl.json in the profile's data folder"
    )
}

/// The streams.
pub fn streams() -> String {
    let fixed = Stream::ALL.into_iter().chain(Stream::MARKETO);
    let names = fixed.map(Stream::name).collect::<Vec<_>>().join(", ");
    format!("Streams: {names}; ga4.NAME and ga3.NAME for each report of the sections ga4 and ga3")
}

/// The tables of silver and gold.
pub fn tables() -> String {
    let silver = SilverTable::ALL.map(SilverTable::sql_name).join(", ");
    format!(
        "{}\nTables of silver: {silver}; ga_NAME and ga3_NAME for each report of the sections ga4 and ga3",
        gold()
    )
}

/// The tables of gold.
pub fn gold() -> String {
    let gold = GoldTable::ALL.map(GoldTable::name).join(", ");
    format!("Tables of gold: {gold}")
}

/// Everything that has a name.
pub fn all() -> String {
    [workflows(), streams(), tables()].join("\n")
}

#[cfg(test)]
mod tests {
    use crate::cli::Cli;
    use clap::CommandFactory;

    /// The help of a verb, as it is printed, on one line.
    fn help(verb: &[&str]) -> String {
        let mut command = Cli::command();
        command.build();
        for name in verb {
            command = command.find_subcommand(name).unwrap().clone();
        }
        let text = command.render_long_help().to_string();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_help_of_what_takes_a_name_lists_the_names() {
        let workflows = ["collect", "daily-report", "datamart", "backfill"];
        let gold = ["daily_report_sub5", "marketing_datamart"];
        let silver = [
            "affise_offers",
            "affise_offer_caps",
            "affise_offer_cap_affiliates",
            "affise_offer_payments",
            "affise_affiliates",
            "affise_advertisers",
            "affise_clicks",
            "affise_conversions",
            "marketo_leads",
            "marketo_activities",
            "marketo_gone_leads",
            "ga_day_quality",
        ];
        let streams = [
            "affise.offers",
            "affise.affiliates",
            "affise.advertisers",
            "affise.clicks",
            "affise.conversions",
            "marketo.leads",
            "marketo.activities",
        ];
        let lists: [(&[&str], Vec<&[&str]>); 7] = [
            (&[], vec![&workflows, &gold, &silver, &streams]),
            (&["run"], vec![&workflows]),
            (&["collect"], vec![&streams]),
            (&["import"], vec![&streams]),
            (&["query"], vec![&gold, &silver]),
            (&["check"], vec![&gold, &silver]),
            (&["gold", "build"], vec![&gold]),
        ];
        for (verb, names) in lists {
            let help = help(verb);
            for name in names.concat() {
                assert!(help.contains(name), "{verb:?} does not name {name}: {help}");
            }
        }
    }
}
