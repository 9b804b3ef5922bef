//! The app's languages: one typed table of sentences per language, complete at compile time.
//!
//! A sentence with a value in it is a function of that value; nothing is put together out of parts elsewhere.
//! Dates and numbers are the browser's `Intl` (see [`format`]).

mod en;
pub(crate) mod foreign;
pub(crate) mod format;

mod refusal;
mod words;
mod zh_cn;

pub(crate) use refusal::refusal;
pub(crate) use words::Words;

/// A language the app speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) enum Language {
    /// English.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// Every language, in the order of the settings page.
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// Its BCP 47 tag: the value of `<html lang>`, of the setting, and what `Intl` is asked for.
    #[must_use]
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// Its own name for itself.
    #[must_use]
    pub(crate) fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "简体中文",
        }
    }

    /// The language for a browser's preferences, best first: the first that we speak, else English.
    pub(crate) fn for_preferences<'a>(tags: impl Iterator<Item = &'a str>) -> Self {
        tags.filter_map(Self::from_tag).next().unwrap_or_default()
    }

    /// Reads a tag such as `zh-Hans-CN` or `en-GB`.
    #[must_use]
    pub(crate) fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or(tag);
        match primary.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "zh" => Some(Self::Chinese),
            _ => None,
        }
    }

    /// Its sentences.
    #[must_use]
    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::English => &en::WORDS,
            Self::Chinese => &zh_cn::WORDS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_preference_that_we_speak_decides() {
        let choose = |tags: &[&str]| Language::for_preferences(tags.iter().copied());
        assert_eq!(choose(&["fr", "zh-Hans-CN", "en"]), Language::Chinese);
        assert_eq!(choose(&["en-GB", "zh"]), Language::English);
        assert_eq!(choose(&["fr"]), Language::English);
        assert_eq!(choose(&[]), Language::English);
    }

    #[test]
    fn tags_read_back() {
        for language in Language::ALL {
            assert_eq!(Language::from_tag(language.tag()), Some(language));
        }
    }
}
