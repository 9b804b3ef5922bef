//! A time to live as an operator writes it: `"7d"`, `"90s"`, `"250ms"`, `"0"` for no end.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Units from the longest to the shortest, in ms.
const UNITS: [(&str, u64); 5] = [
    ("d", 24 * 60 * 60 * 1_000),
    ("h", 60 * 60 * 1_000),
    ("m", 60 * 1_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A time in ms; 0 is without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ttl(pub(super) u64);

impl Ttl {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let unit = unit.trim_start();
        if number == 0 && unit.is_empty() {
            return Some(Self(0));
        }
        let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
        number.checked_mul(*unit_ms).map(Self)
    }

    fn text(self) -> String {
        let Self(ms) = self;
        match UNITS
            .iter()
            .find(|(_, unit_ms)| ms >= *unit_ms && ms % unit_ms == 0)
        {
            Some((unit, unit_ms)) => format!("{}{unit}", ms / unit_ms),
            None => "0".to_owned(),
        }
    }
}

impl Serialize for Ttl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(
                "a time is a whole number with a unit, such as \"7d\", \"12h\", \"30m\", \"90s\" or \"250ms\"; \
                 \"0\" is without end",
            )
        })
    }
}

/// For a field that is a plain number of ms.
pub(super) mod ms {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Ttl};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    pub(in crate::namespace) fn serialize<S: Serializer>(ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        Ttl(*ms).serialize(serializer)
    }

    pub(in crate::namespace) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u64, D::Error> {
        Ttl::deserialize(deserializer).map(|Ttl(ms)| ms)
    }
}

/// For a field that may be absent.
pub(super) mod optional_ms {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Ttl};

    #[expect(clippy::ref_option, reason = "serde calls it with a reference")]
    pub(in crate::namespace) fn serialize<S: Serializer>(
        ms: &Option<u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        ms.map(Ttl).serialize(serializer)
    }

    pub(in crate::namespace) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u64>, D::Error> {
        Ok(Option::<Ttl>::deserialize(deserializer)?.map(|Ttl(ms)| ms))
    }
}

#[cfg(test)]
mod tests {
    use super::Ttl;

    #[test]
    fn a_time_is_a_number_with_a_unit() {
        for (text, ms) in [
            ("0", 0),
            ("250ms", 250),
            ("90s", 90_000),
            ("2 h", 7_200_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(Ttl::parse(text), Some(Ttl(ms)), "{text}");
        }
        for wrong in ["", "5", "s", "-1s", "1.5h", "1w", "99999999999999999999s"] {
            assert_eq!(Ttl::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_time() {
        for ms in [0, 1, 999, 1_000, 61_000, 3_600_000, 604_800_000] {
            assert_eq!(Ttl::parse(&Ttl(ms).text()), Some(Ttl(ms)));
        }
        assert_eq!(Ttl(604_800_000).text(), "7d");
    }
}
