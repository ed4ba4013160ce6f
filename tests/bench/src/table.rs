//! What is printed of readings: a table for each row, as Markdown, and one of all promises.

use crate::bench::Readings;
use crate::generator::Generator;
use crate::reading::{Measure, Reading, ratios, spread};
use crate::rows::{Figure, Reach, Row};

/// The table of a row: medians of all rounds, and this engine's rate divided by the others' in the same rounds.
pub(crate) fn of_row(row: Row, readings: &Readings) -> String {
    let measures = row.measures();
    let has_ratio = measures.contains(&Measure::Rate) && row.generators().len() > 1;
    let mut headings = vec!["generator"];
    headings.extend(measures.iter().map(|measure| measure.heading()));
    if has_ratio {
        headings.insert(2, "this engine ÷ it");
    }
    let mut text = format!("\n{}: {}\n\n{}", row.name(), row.title(), heading(&headings));
    for generator in row.generators() {
        let own: Vec<&Reading> = readings.all.iter().filter(|reading| reading.generator == *generator).collect();
        if own.is_empty() {
            continue;
        }
        let mut cells = vec![generator.name().to_owned()];
        cells.extend(measures.iter().map(|measure| {
            let values: Vec<f64> = own.iter().filter_map(|reading| reading.measure(*measure)).collect();
            spread(&values).map_or_else(|| "-".to_owned(), |(median, _, _)| number(median, measure.digits()))
        }));
        if has_ratio {
            let values = ratios(&readings.all, Generator::Engine, *generator, Measure::Rate);
            cells.insert(2, if *generator == Generator::Engine { "1".to_owned() } else { range(&values, 2) });
        }
        text.push_str(&line(&cells));
    }
    for note in &readings.notes {
        text.push_str(&format!("\n{note}\n"));
    }
    text
}

/// The table of promises.
pub(crate) fn of_figures(figures: &[(Row, Figure)]) -> String {
    let mut text = format!("\n{}", heading(&["row", "what", "median (least..greatest)", "to reach", ""]));
    for (row, figure) in figures {
        let (sign, limit) = match figure.reach {
            Reach::AtLeast(limit) => ("≥", limit),
            Reach::AtMost(limit) => ("≤", limit),
        };
        let verdict = match spread(&figure.values) {
            None => "not measured",
            Some((median, _, _)) if figure.reach.is_met(median) => "met",
            Some(_) => "missed",
        };
        let cells =
            [row.name(), figure.what.clone(), range(&figure.values, 3), format!("{sign} {limit}"), verdict.to_owned()];
        text.push_str(&line(&cells));
    }
    text
}

fn heading(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
    format!("{}{}|\n", line(&cells), "|---".repeat(cells.len()))
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn range(values: &[f64], digits: usize) -> String {
    spread(values).map_or_else(
        || "-".to_owned(),
        |(median, least, greatest)| {
            format!("{} ({}..{})", number(median, digits), number(least, digits), number(greatest, digits))
        },
    )
}

/// With a comma between thousands.
fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, part) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && grouped != "-" {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_between_thousands() {
        let shown: Vec<String> = [0.0, 999.0, 1000.0, -123_456.0, 1_234_567.0].map(|value| number(value, 0)).into();
        assert_eq!(shown, ["0", "999", "1,000", "-123,456", "1,234,567"]);
        assert_eq!(
            (number(1234.567, 2), range(&[2.0, 1.0, 4.0], 1)),
            ("1,234.57".to_owned(), "2.0 (1.0..4.0)".to_owned())
        );
    }
}
