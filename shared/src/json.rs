//! Writing JSON by hand: what is sent often is written field by field, its payload spliced in as text.

/// Appends `text` as a JSON string, quotes included.
pub fn write_str(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len() + 2);
    out.push('"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(control >> 4)]));
                out.push(char::from(HEX[usize::from(control & 15)]));
            }
        }
    }
    out.push_str(&text[plain_from..]);
    out.push('"');
}

/// Appends a number.
pub fn write_number(out: &mut String, number: u64) {
    use std::fmt::Write;
    write!(out, "{number}").expect("writing to a String does not fail");
}

/// A JSON object under construction: opened by [`Object::open`], closed by [`Object::close`].
#[derive(Debug)]
#[must_use = "an object is closed with `close`"]
pub struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    /// Writes `{`.
    pub fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        write_str(self.out, key);
        self.out.push(':');
    }

    /// A string field.
    pub fn str(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        write_str(self.out, value);
        self
    }

    /// A string field that is left out where there is no value.
    pub fn maybe_str(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.str(key, value),
            None => self,
        }
    }

    /// A number field.
    pub fn number(mut self, key: &str, value: u64) -> Self {
        self.key(key);
        write_number(self.out, value);
        self
    }

    /// A number field that is left out where there is no value.
    pub fn maybe_number(self, key: &str, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.number(key, value),
            None => self,
        }
    }

    /// A boolean field.
    pub fn bool(mut self, key: &str, value: bool) -> Self {
        self.key(key);
        self.out.push_str(if value { "true" } else { "false" });
        self
    }

    /// A field whose value is JSON text already.
    pub fn raw(mut self, key: &str, json: &str) -> Self {
        self.key(key);
        self.out.push_str(json);
        self
    }

    /// A field whose value `write` appends as JSON.
    pub fn with(mut self, key: &str, write: impl FnOnce(&mut String)) -> Self {
        self.key(key);
        write(self.out);
        self
    }

    /// An array field, one element per item.
    pub fn list<T>(mut self, key: &str, items: &[T], write: impl FnMut(&mut String, &T)) -> Self {
        self.key(key);
        write_list(self.out, items, write);
        self
    }

    /// Hands the object to `fields`, which adds what it knows.
    pub fn and(self, fields: impl FnOnce(Self) -> Self) -> Self {
        fields(self)
    }

    /// Writes `}`.
    pub fn close(self) {
        self.out.push('}');
    }
}

/// Appends an array, one element per item.
pub fn write_list<T>(out: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_string_reads_back_as_written(text in any::<String>()) {
            let mut out = String::new();
            write_str(&mut out, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn an_object_separates_its_fields() {
        let mut out = String::new();
        Object::open(&mut out)
            .str("a", "x\u{1}\"")
            .maybe_str("b", None)
            .number("c", 7)
            .raw("d", "[1]")
            .list("e", &[1, 2], |out, n| write_number(out, *n))
            .close();
        assert_eq!(out, r#"{"a":"x\u0001\"","c":7,"d":[1],"e":[1,2]}"#);
    }
}
