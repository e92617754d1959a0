//! Reads a document from a file; a diagnostic points at the line in it.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;

use countersign_core::diagnostic::{Checked, Diagnostic, DocumentError, Level};
use countersign_core::document::Kind;
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, MietteError,
    MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};

use crate::output::{Failure, complain, plain};

/// Errors drawn with their lines; of more, the number is told.
const ERRORS_DRAWN_MAX: usize = 20;

/// Warnings told; of more, the number is told.
const WARNINGS_TOLD_MAX: usize = 20;

/// Characters of a line that are drawn around a place.
const LINE_CHARS_MAX: usize = 120;

/// The bytes of a document, never much more than its kind may have.
///
/// # Errors
/// [`Failure::Unreadable`] where the file cannot be read.
pub(crate) fn bytes(kind: Kind, path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |cause| Failure::Unreadable {
        path: plain(&path.display().to_string()),
        cause,
    };
    let limit = u64::try_from(kind.limits().bytes_max).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    // One byte beyond the limit is enough for the reader to refuse it.
    File::open(path)
        .map_err(unreadable)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// Reads a document and tells its warnings.
///
/// # Errors
/// [`Failure::Unreadable`] where the file cannot be read, [`Failure::Invalid`] with everything that
/// is wrong with it.
pub(crate) fn document<T>(
    kind: Kind,
    path: &Path,
    read: impl FnOnce(&[u8]) -> Result<Checked<T>, DocumentError>,
) -> Result<T, Failure> {
    let bytes = bytes(kind, path)?;
    let name = plain(&path.display().to_string());
    match read(&bytes) {
        Ok(checked) => {
            tell_warnings(&name, &checked.warnings);
            Ok(checked.document)
        }
        Err(error) => Err(Failure::Invalid(draw(&name, &bytes, &error))),
    }
}

fn tell_warnings(name: &str, warnings: &[Diagnostic]) {
    for warning in warnings.iter().take(WARNINGS_TOLD_MAX) {
        complain(&format!(
            "{name}:{}:{}: warning[{}]: {}; {}",
            warning.line,
            warning.column,
            warning.code,
            plain(&warning.message),
            plain(&warning.mend)
        ));
    }
    if let Some(beyond) = warnings.len().checked_sub(WARNINGS_TOLD_MAX)
        && beyond > 0
    {
        complain(&format!(
            "{name}: {beyond} more warnings; mend these and look again"
        ));
    }
}

/// Every error with its line.
fn draw(name: &str, bytes: &[u8], error: &DocumentError) -> String {
    let text = String::from_utf8_lossy(bytes);
    let theme = if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_context_lines(1);
    let errors: Vec<&Diagnostic> = error
        .diagnostics
        .iter()
        .filter(|d| d.level == Level::Error)
        .collect();
    let mut drawn = String::new();
    for diagnostic in errors.iter().take(ERRORS_DRAWN_MAX) {
        let source = Excerpt::new(name, &text, diagnostic);
        let report = MietteDiagnostic::new(plain(&diagnostic.message))
            .with_code(diagnostic.code.clone())
            .with_help(plain(&diagnostic.mend))
            .with_label(LabeledSpan::underline(source.span));
        let report = miette::Report::new(report).with_source_code(source);
        if handler.render_report(&mut drawn, report.as_ref()).is_err() {
            drawn.push_str(&diagnostic.to_string());
        }
        drawn.push('\n');
    }
    let beyond = errors.len().saturating_sub(ERRORS_DRAWN_MAX);
    let more = if beyond > 0 {
        format!(", {beyond} of them not shown")
    } else {
        String::new()
    };
    drawn.push_str(&format!(
        "`{name}` is not a valid {}: {} {}{more}",
        error.document,
        errors.len(),
        if errors.len() == 1 { "error" } else { "errors" },
    ));
    drawn
}

/// The line of a diagnostic and its neighbours, cut so that a line of megabytes stays readable.
struct Excerpt {
    name: String,
    text: String,
    /// 0-based line of the first line of `text`.
    first_line: usize,
    /// 0-based line and column of the diagnostic.
    line: usize,
    column: usize,
    /// What is underlined, in bytes of `text`.
    span: SourceSpan,
}

impl std::fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.name, self.line + 1, self.column + 1)
    }
}

impl Excerpt {
    fn new(name: &str, source: &str, diagnostic: &Diagnostic) -> Self {
        let index = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let (line, column) = (index(diagnostic.line), index(diagnostic.column));
        let first_line = line.saturating_sub(1);
        let skip = column.saturating_sub(LINE_CHARS_MAX / 2);
        let cut = |text: &str| -> String {
            plain(
                &text
                    .chars()
                    .skip(skip)
                    .take(LINE_CHARS_MAX)
                    .collect::<String>()
                    .replace('\t', " "),
            )
        };
        let mut text = String::new();
        let mut span = SourceSpan::from((0, 0));
        for (number, content) in source
            .split('\n')
            .enumerate()
            .skip(first_line)
            .take(line - first_line + 2)
        {
            let content = cut(content.trim_end_matches('\r'));
            if number == line {
                let before: usize = content
                    .chars()
                    .take(column - skip)
                    .map(char::len_utf8)
                    .sum();
                let marked = content.get(before..).map_or(0, marked_bytes);
                span = SourceSpan::from((text.len() + before, marked));
            }
            text.push_str(&content);
            text.push('\n');
        }
        Self {
            name: name.to_owned(),
            text,
            first_line,
            line,
            column,
            span,
        }
    }
}

/// Length of the word, quoted text or sign at the start of `rest`.
fn marked_bytes(rest: &str) -> usize {
    let mut chars = rest.char_indices();
    match chars.next() {
        None => 0,
        Some((_, quote @ ('"' | '\''))) => chars
            .find(|(_, c)| *c == quote)
            .map_or(rest.len(), |(at, c)| at + c.len_utf8()),
        Some((_, first)) => chars
            .find(|(_, c)| c.is_whitespace() || matches!(c, ',' | ']' | '}' | '[' | '{'))
            .map_or(rest.len(), |(at, _)| at)
            .max(first.len_utf8()),
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let contents = self.text.read_span(span, lines_before, lines_after)?;
        let line = self.first_line + contents.line();
        let column = if line == self.line { self.column } else { 0 };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            contents.data(),
            *contents.span(),
            line,
            column,
            contents.line_count(),
        )))
    }
}
