//! An assessment as text, for a person at a terminal.

use std::fmt::Write as _;

use countersign_core::assessment::{
    Assessment, Finding, ImpactState, Outcome, QuorumRule, Verdict,
};

use crate::output::plain;

/// Impact entries listed; of more, the number is told. `--json` lists them all.
const IMPACT_LISTED_MAX: usize = 50;

/// The report: the verdict first, then why, then everything else.
pub(crate) fn text(assessment: &Assessment) -> String {
    report(assessment, None)
}

/// As [`text`], with the explanation in a paragraph below the verdict.
pub(crate) fn explained(assessment: &Assessment, explanation: &str) -> String {
    report(assessment, Some(explanation))
}

fn report(assessment: &Assessment, explanation: Option<&str>) -> String {
    let mut text = String::new();
    let _ = write(&mut text, assessment, explanation);
    text
}

fn write(
    text: &mut String,
    assessment: &Assessment,
    explanation: Option<&str>,
) -> std::fmt::Result {
    writeln!(
        text,
        "{}",
        match assessment.verdict {
            Verdict::Autonomous => "AUTONOMOUS: it may run without asking",
            Verdict::NeedsApproval => "NEEDS APPROVAL: it waits for people",
            Verdict::Refused => "REFUSED: it is void",
        }
    )?;
    if let Some(refusal) = &assessment.refusal {
        writeln!(text, "  {}", plain(refusal))?;
    }
    if let Some(quorum) = &assessment.quorum {
        writeln!(text, "  {}", quorum_words(quorum))?;
    }
    if let Some(rule) = &assessment.rule {
        writeln!(text, "  rule: {rule}")?;
    }
    let scope = &assessment.scope;
    writeln!(
        text,
        "  scope: {} systems, {} services, {} segments; tier {}",
        scope.systems, scope.services, scope.segments, scope.tier
    )?;
    if let Some(explanation) = explanation {
        writeln!(text, "\n{}", plain(explanation))?;
    }
    let blocking: Vec<&Finding> = assessment
        .findings
        .iter()
        .filter(|finding| finding.outcome != Outcome::Pass)
        .collect();
    if !blocking.is_empty() {
        writeln!(text, "\nWhy it does not run alone:")?;
        for finding in blocking {
            writeln!(
                text,
                "  {}  {}",
                finding.clause.as_str(),
                plain(&finding.message)
            )?;
        }
    }
    findings(text, &assessment.findings)?;
    impact(text, assessment)
}

fn quorum_words(quorum: &QuorumRule) -> String {
    let roles: Vec<&str> = quorum.roles.iter().map(AsRef::as_ref).collect();
    let approvers = if quorum.needed == 1 {
        "approver"
    } else {
        "approvers"
    };
    if roles.is_empty() {
        format!("quorum: {} {approvers}", quorum.needed)
    } else {
        format!(
            "quorum: {} {approvers} of {}",
            quorum.needed,
            roles.join(", ")
        )
    }
}

fn findings(text: &mut String, findings: &[Finding]) -> std::fmt::Result {
    let rows: Vec<[String; 5]> = findings
        .iter()
        .map(|finding| {
            [
                finding.clause.as_str().to_owned(),
                outcome(finding.outcome).to_owned(),
                plain(&finding.check),
                plain(finding.measured.as_deref().unwrap_or("–")),
                plain(finding.limit.as_deref().unwrap_or("–")),
            ]
        })
        .collect();
    let head = ["clause", "outcome", "check", "measured", "limit"].map(str::to_owned);
    let mut widths = [0; 5];
    for row in std::iter::once(&head).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    writeln!(text, "\nFindings:")?;
    for row in std::iter::once(&head).chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            write!(line, "  {cell:<width$}")?;
        }
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}

fn impact(text: &mut String, assessment: &Assessment) -> std::fmt::Result {
    if assessment.impact.is_empty() {
        return writeln!(text, "\nImpact: nothing goes down or is degraded");
    }
    writeln!(text, "\nImpact:")?;
    for entry in assessment.impact.iter().take(IMPACT_LISTED_MAX) {
        let state = match entry.state {
            ImpactState::Down => "down",
            ImpactState::Degraded => "degraded",
        };
        writeln!(
            text,
            "  {state:<8}  {}: {}",
            plain(&entry.id),
            plain(&entry.because)
        )?;
    }
    let beyond = assessment.impact.len().saturating_sub(IMPACT_LISTED_MAX);
    if beyond > 0 {
        writeln!(text, "  {beyond} more; `--json` lists them all")?;
    }
    Ok(())
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "FAIL",
        Outcome::NotEvaluable => "NOT EVALUABLE",
    }
}
