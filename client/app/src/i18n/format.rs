//! Dates, times and ages in the reader's language and time zone, by the browser's `Intl`.

use std::cell::RefCell;
use std::collections::HashMap;

use js_sys::{Array, Date, Function, Intl, Object, Reflect};
use wasm_bindgen::JsValue;

use super::Language;
use crate::state::timeline::items::Day;

const MINUTE_MS: f64 = 60_000.0;
const DAY_MS: f64 = 86_400_000.0;

/// A way to write a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Style {
    /// `14:05`, `2:05 PM`
    Time,
    /// `Saturday, 21 November`; the year where it is another.
    Day { year: bool },
    /// `21 Nov`
    Short,
    /// Everything, for a tooltip.
    Full,
}

thread_local! {
    // Making a formatter costs a hundred times what using it does.
    static FORMATS: RefCell<HashMap<(Language, Style), Function>> = RefCell::default();
}

fn options(style: Style) -> Object {
    let pairs: &[(&str, &str)] = match style {
        Style::Time => &[("timeStyle", "short")],
        Style::Day { year: false } => &[("weekday", "long"), ("month", "long"), ("day", "numeric")],
        Style::Day { year: true } => &[("year", "numeric"), ("month", "long"), ("day", "numeric")],
        Style::Short => &[("month", "short"), ("day", "numeric")],
        Style::Full => &[("dateStyle", "full"), ("timeStyle", "medium")],
    };
    let options = Object::new();
    for (name, value) in pairs {
        // A plain object takes every property.
        let _ = Reflect::set(&options, &JsValue::from_str(name), &JsValue::from_str(value));
    }
    options
}

fn write(language: Language, style: Style, at: u64) -> String {
    FORMATS.with_borrow_mut(|formats| {
        let format = formats.entry((language, style)).or_insert_with(|| {
            let locales = Array::of1(&JsValue::from_str(language.tag()));
            Intl::DateTimeFormat::new(&locales, &options(style)).format()
        });
        let written = format.call1(&JsValue::UNDEFINED, &JsValue::from_f64(to_js(at)));
        written.ok().and_then(|text| text.as_string()).unwrap_or_default()
    })
}

/// Times of this century are far below 2^53 ms.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
fn to_js(at: u64) -> f64 {
    at as f64
}

/// The time of day.
pub(crate) fn time(language: Language, at: u64) -> String {
    write(language, Style::Time, at)
}

/// Date and time in full.
pub(crate) fn full(language: Language, at: u64) -> String {
    write(language, Style::Full, at)
}

/// The local day of a time: what is drawn between messages is the reader's day, daylight saving included.
pub(crate) fn day_of(at: u64) -> Day {
    let at = to_js(at);
    let offset = Date::new(&JsValue::from_f64(at)).get_timezone_offset();
    #[expect(clippy::cast_possible_truncation, reason = "days since 1970 are small")]
    let day = ((at - offset * MINUTE_MS) / DAY_MS).floor() as Day;
    day
}

/// The heading of a day: today, yesterday, or its date.
pub(crate) fn day(language: Language, at: u64, now: u64) -> String {
    let words = &language.words().chat;
    match day_of(now) - day_of(at) {
        0 => words.today.to_owned(),
        1 => words.yesterday.to_owned(),
        _ => {
            let year = |at| Date::new(&JsValue::from_f64(to_js(at))).get_full_year();
            let other_year = year(at) != year(now);
            write(language, Style::Day { year: other_year }, at)
        }
    }
}

/// A time in a narrow column: the time of day today, else the date.
pub(crate) fn short(language: Language, at: u64, now: u64) -> String {
    if day_of(at) == day_of(now) {
        time(language, at)
    } else {
        write(language, Style::Short, at)
    }
}

/// How long ago: `2 minutes ago`.
pub(crate) fn age(language: Language, at: u64, now: u64) -> String {
    const STEPS: [(&str, u64); 3] = [("day", 86_400), ("hour", 3_600), ("minute", 60)];
    let seconds = now.saturating_sub(at) / 1_000;
    let (unit, size) = STEPS
        .into_iter()
        .find(|(_, size)| seconds >= *size)
        .unwrap_or(("second", 1));
    let options = Object::new();
    let _ = Reflect::set(&options, &"numeric".into(), &"auto".into());
    let locales = Array::of1(&JsValue::from_str(language.tag()));
    let format = Intl::RelativeTimeFormat::new(&locales, &options);
    String::from(format.format(-to_js(seconds / size), unit))
}
