//! Takes out of the engine what only words its panics.
//!
//! The standard library makes a sentence of every panic, with the place in the source and the values that were
//! met, and hands it to a hook. The package sets none, and WebAssembly has no standard error: the host sees
//! `RuntimeError: unreachable` with or without that sentence. To make it is a twentieth of the engine, though, so the
//! functions that do are emptied, and what only they use is then left out by `wasm-opt`.
//!
//! Cargo could do that itself with `panic = "immediate-abort"`, once that and building the standard library are
//! stable.

use std::collections::HashMap;

use crate::failure::Failure;

/// Parts of the names, as the compiler mangles them, of functions that never return: they word a panic and end it.
const PANICS: &[&str] = &[
    "4core9panicking",
    "3std9panicking",
    "4core4cell22panic_already_borrowed",
    "4core4cell30panic_already_mutably_borrowed",
    "4core6option13expect_failed",
    "4core6option13unwrap_failed",
    "4core6result13unwrap_failed",
    "4core5slice5index16slice_index_fail",
    "4core3str16slice_error_fail",
    "4core3str19slice_error_fail_rt",
    "5alloc7raw_vec12handle_error",
    "5alloc7raw_vec17capacity_overflow",
    "5alloc5alloc18handle_alloc_error",
    "insert_mut13assert_failed",
    "remove13assert_failed",
    "3std5alloc8rust_oom",
];
/// Part of it, and not a function that ends anything: it counts.
const COUNTS: &str = "9panicking11panic_count";
/// How `Debug` shows a value. Only panics ask for that: what people read is made by `Display`.
const DEBUG: &[&str] = &[
    "5Debug3fmt",
    "core..fmt..Debug$u20$for",
    "as$u20$core..fmt..Debug$GT$3fmt",
];

/// No locals, `unreachable`.
const TRAP: &[u8] = &[0x00, 0x00, 0x0b];
/// No locals, `i32.const 0`: `Ok(())`, and nothing is written.
const NOTHING: &[u8] = &[0x00, 0x41, 0x00, 0x0b];

/// Sections of a module (WebAssembly Core Specification, 5.5).
const CUSTOM: u8 = 0;
const IMPORT: u8 = 2;
const CODE: u8 = 10;
/// The magic number and the version.
const PREAMBLE: usize = 8;

/// The same module without them. It must have names, and imports of functions only, as the compiler makes it.
pub(super) fn silence(module: &[u8]) -> Result<Vec<u8>, Failure> {
    let silenced = sections(module).and_then(|sections| rewrite(module, &sections));
    silenced.ok_or_else(|| {
        Failure::new(
            "the compiled client is no WebAssembly module with function names whose panics can be silenced",
        )
    })
}

fn rewrite(module: &[u8], sections: &[(u8, &[u8])]) -> Option<Vec<u8>> {
    let of = |wanted| sections.iter().filter(move |(id, _)| *id == wanted);
    let imported = of(IMPORT)
        .next()
        .map_or(Some(0), |(_, body)| functions_imported(body))?;
    let names = of(CUSTOM).find_map(|(_, body)| function_names(body))?;
    let mut silenced = module.get(..PREAMBLE)?.to_vec();
    for (id, body) in sections {
        silenced.push(*id);
        if *id == CODE {
            let body = silence_code(body, |at| names.get(&(imported + at)).copied())?;
            write_bytes(&mut silenced, &body);
        } else {
            write_bytes(&mut silenced, body);
        }
    }
    Some(silenced)
}

/// `None` where none is silenced: then the compiler names them otherwise, and the lists are to be written anew.
fn silence_code<'a>(code: &[u8], name: impl Fn(u32) -> Option<&'a str>) -> Option<Vec<u8>> {
    let mut reader = Reader(code);
    let count = reader.number()?;
    let mut silenced = Vec::new();
    write_number(&mut silenced, count);
    let mut any = false;
    for at in 0..count {
        let body = reader.bytes()?;
        let instead = name(at).and_then(instead_of);
        any |= instead.is_some();
        write_bytes(&mut silenced, instead.unwrap_or(body));
    }
    any.then_some(silenced)
}

/// The body that a function gets instead of its own.
fn instead_of(name: &str) -> Option<&'static [u8]> {
    let is_one_of = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if is_one_of(PANICS) && !name.contains(COUNTS) {
        Some(TRAP)
    } else if is_one_of(DEBUG) {
        Some(NOTHING)
    } else {
        None
    }
}

/// Each section's id and content.
fn sections(module: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut reader = Reader(module.get(PREAMBLE..)?);
    let mut sections = Vec::new();
    while !reader.0.is_empty() {
        sections.push((reader.byte()?, reader.bytes()?));
    }
    Some(sections)
}

fn functions_imported(imports: &[u8]) -> Option<u32> {
    const FUNCTION: u8 = 0;
    let mut reader = Reader(imports);
    let count = reader.number()?;
    for _ in 0..count {
        reader.bytes()?;
        reader.bytes()?;
        if reader.byte()? != FUNCTION {
            return None;
        }
        reader.number()?;
    }
    Some(count)
}

/// The names in a custom section, where it is the one that has them.
fn function_names(custom: &[u8]) -> Option<HashMap<u32, &str>> {
    const OF_FUNCTIONS: u8 = 1;
    let mut reader = Reader(custom);
    if reader.bytes()? != b"name" {
        return None;
    }
    while !reader.0.is_empty() {
        let (kind, body) = (reader.byte()?, reader.bytes()?);
        if kind != OF_FUNCTIONS {
            continue;
        }
        let mut reader = Reader(body);
        let count = reader.number()?;
        let name = |_| Some((reader.number()?, std::str::from_utf8(reader.bytes()?).ok()?));
        return (0..count).map(name).collect();
    }
    None
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// LEB128.
    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..u32::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// Bytes behind their number.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }
}

fn write_number(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).expect("part of a module that was read, or smaller");
    write_number(out, len);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(id: u8, body: &[u8]) -> Vec<u8> {
        let mut section = vec![id];
        write_bytes(&mut section, body);
        section
    }

    /// A module that imports one function and has these, each with a body of its own.
    fn module(names: &[&str]) -> Vec<u8> {
        let mut imports = vec![1];
        write_bytes(&mut imports, b"host");
        write_bytes(&mut imports, b"call");
        imports.extend([0, 0]);
        let mut code = vec![u8::try_from(names.len()).unwrap()];
        let mut named = code.clone();
        for at in 0..u8::try_from(names.len()).unwrap() {
            write_bytes(&mut code, &[0x00, 0x41, at, 0x1a, 0x0b]);
            named.push(at + 1);
            write_bytes(&mut named, names[usize::from(at)].as_bytes());
        }
        let mut custom = Vec::new();
        write_bytes(&mut custom, b"name");
        custom.extend(section(1, &named));
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        for (id, body) in [(IMPORT, imports), (CODE, code), (CUSTOM, custom)] {
            module.extend(section(id, &body));
        }
        module
    }

    #[test]
    fn what_words_a_panic_is_emptied_and_the_rest_stays() {
        let names = [
            "_RNvNtCs1_4core9panicking9panic_fmt",
            "_ZN9bmt_share5parse17h0E",
            "_RNvXsh_NtCs1_4core3fmteNtB5_5Debug3fmt",
            "_RNvNtNtCs1_3std9panicking11panic_count8increase",
        ];
        let silenced = silence(&module(&names)).unwrap();
        let sections = sections(&silenced).unwrap();
        let (_, code) = sections.iter().find(|(id, _)| *id == CODE).unwrap();
        let mut reader = Reader(code);
        assert_eq!(reader.number(), Some(4));
        let bodies: Vec<_> = std::iter::from_fn(|| reader.bytes()).collect();
        let own = |at| [0x00, 0x41, at, 0x1a, 0x0b];
        assert_eq!(bodies, [TRAP, &own(1), NOTHING, &own(3)]);
    }

    #[test]
    fn a_module_without_panics_or_names_is_refused() {
        assert!(silence(&module(&["_ZN9bmt_share5parse17h0E"])).is_err());
        assert!(silence(b"\0asm\x01\0\0\0").is_err());
    }
}
