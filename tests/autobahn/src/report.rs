//! Autobahn's report as a table: cases by their section and by how they ended.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;

use serde::Deserialize;

use crate::verdict::{COMPRESSION, Verdict};

/// One entry of `index.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Judged {
    behavior: Verdict,
    behavior_close: Verdict,
}

impl Judged {
    /// The worse of the two. Where the extension was not negotiated nothing was said that could be closed wrongly.
    fn verdict(&self) -> Verdict {
        if self.behavior == Verdict::Unimplemented {
            return Verdict::Unimplemented;
        }
        self.behavior.max(self.behavior_close)
    }
}

/// Cases, as `6.4.3`, each with its verdict.
pub(crate) struct Report(BTreeMap<Vec<u32>, Verdict>);

impl Report {
    /// Reads `index.json`.
    ///
    /// # Errors
    /// When it is something else, or tells of no case.
    pub(crate) fn parse(text: &str, agent: &str) -> Result<Self, String> {
        let mut agents: BTreeMap<String, BTreeMap<String, Judged>> =
            serde_json::from_str(text).map_err(|error| format!("the report cannot be read: {error}"))?;
        let cases = agents.remove(agent).unwrap_or_default();
        if cases.is_empty() {
            return Err("the report tells of no case: did the fuzzing client reach the echo?".to_owned());
        }
        let cases = cases.iter().map(|(name, judged)| {
            let numbers: Result<_, _> = name.split('.').map(str::parse).collect();
            let numbers = numbers.map_err(|_| format!("the report names a case `{name}`"))?;
            Ok((numbers, judged.verdict()))
        });
        cases.collect::<Result<_, String>>().map(Self)
    }

    /// What is more than is allowed, in sentences.
    fn breaches(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        for verdict in Verdict::ALL {
            let cases = self.cases(|section, found| found == verdict && !is_compression(section));
            if cases.len() > verdict.most() {
                breaches.push(format!(
                    "{} cases are {}, {} may be",
                    cases.len(),
                    verdict.word(),
                    verdict.most()
                ));
            }
        }
        let negotiated =
            self.cases(|section, found| is_compression(section) && found != Verdict::Unimplemented);
        if !negotiated.is_empty() {
            breaches.push(format!(
                "{} cases about compression are not UNIMPLEMENTED, though none is negotiated",
                negotiated.len()
            ));
        }
        breaches
    }

    fn cases(&self, is_wanted: impl Fn(u32, Verdict) -> bool) -> Vec<String> {
        let wanted = self
            .0
            .iter()
            .filter(|(case, verdict)| is_wanted(case[0], **verdict));
        wanted
            .map(|(case, _)| {
                let numbers: Vec<_> = case.iter().map(u32::to_string).collect();
                numbers.join(".")
            })
            .collect()
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.breaches().is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

fn is_compression(section: u32) -> bool {
    COMPRESSION.contains(&section)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>7}", "section")?;
        for verdict in Verdict::ALL {
            write!(f, " | {:>13}", verdict.word())?;
        }
        writeln!(f)?;
        let mut sections: Vec<u32> = self.0.keys().map(|case| case[0]).collect();
        sections.dedup();
        for section in sections {
            write!(f, "{section:>7}")?;
            for verdict in Verdict::ALL {
                let count = self.cases(|of, found| of == section && found == verdict).len();
                write!(f, " | {count:>13}")?;
            }
            writeln!(f)?;
        }
        for verdict in &Verdict::ALL[1..] {
            let cases = self.cases(|section, found| found == *verdict && !is_compression(section));
            if !cases.is_empty() {
                writeln!(f, "{}: {}", verdict.word(), cases.join(", "))?;
            }
        }
        for breach in self.breaches() {
            writeln!(f, "FAILED: {breach}")?;
        }
        write!(f, "{} cases", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(cases: &[(&str, &str, &str)]) -> Report {
        let entry = |(case, behavior, close): &(&str, &str, &str)| {
            format!(r#""{case}":{{"behavior":"{behavior}","behaviorClose":"{close}","duration":1}}"#)
        };
        let entries: Vec<_> = cases.iter().map(entry).collect();
        Report::parse(&format!(r#"{{"bmt":{{{}}}}}"#, entries.join(",")), "bmt").unwrap()
    }

    #[test]
    fn what_is_allowed_passes() {
        let report = report(&[
            ("1.1.1", "OK", "OK"),
            ("6.4.3", "NON-STRICT", "OK"),
            ("6.4.4", "NON-STRICT", "OK"),
            ("7.13.1", "INFORMATIONAL", "INFORMATIONAL"),
            ("12.1.1", "UNIMPLEMENTED", "UNCLEAN"),
        ]);
        assert_eq!(report.breaches(), Vec::<String>::new());
    }

    #[test]
    fn every_breach_is_found() {
        for breach in [
            [("1.1.1", "FAILED", "OK")].as_slice(),
            &[("1.1.1", "OK", "UNCLEAN")],
            &[("1.1.1", "OK", "WRONG CODE")],
            &[("1.1.1", "UNIMPLEMENTED", "OK")],
            &[("12.1.1", "OK", "OK")],
            &[
                ("6.1.1", "NON-STRICT", "OK"),
                ("6.4.3", "NON-STRICT", "OK"),
                ("6.4.4", "NON-STRICT", "OK"),
            ],
        ] {
            assert_eq!(report(breach).breaches().len(), 1, "{breach:?}");
        }
        assert!(Report::parse(r#"{"another":{}}"#, "bmt").is_err());
    }
}
