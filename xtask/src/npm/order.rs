//! Puts each function of the engine behind the one that it resembles most.
//!
//! gzip looks back 32 KiB, and there it should find what is alike. Which function is called by a number that is written
//! shorter, as `wasm-opt` arranges them otherwise, matters less.
//!
//! `wasm-opt` sorts functions by their names: here they get names that sort as they are to stand.

use std::collections::{HashMap, HashSet};

use crate::failure::Failure;

/// Asks `wasm-opt` for it.
pub(super) const OPTION: &str = "--reorder-functions-by-name";
/// Two functions resemble each other by the runs of so many bytes that both have.
const RUN_BYTES: usize = 4;
/// Runs that a function counts as having beyond its own, so that the smallest are not taken for alike by a few.
const RUNS_ADDED: f64 = 20.0;

/// Sections of a module (WebAssembly Core Specification, 5.5).
const CUSTOM: u8 = 0;
const IMPORT: u8 = 2;
const CODE: u8 = 10;
/// The magic number and the version.
const PREAMBLE: usize = 8;
/// What a custom section of names tells first, and the only thing it tells here.
const OF_FUNCTIONS: u8 = 1;

/// The same module with names. It must have none, and import functions only, as it comes from `wasm-opt`.
pub(super) fn name(module: &[u8]) -> Result<Vec<u8>, Failure> {
    let names = functions(module).map(|(imported, bodies)| names(imported, &order(&bodies)));
    let names = names.ok_or_else(|| {
        Failure::new("the engine is no WebAssembly module whose functions could be put in order")
    })?;
    Ok([module, &names].concat())
}

/// How many functions are imported, and the code of the others.
fn functions(module: &[u8]) -> Option<(usize, Vec<&[u8]>)> {
    let mut reader = Reader(module.get(PREAMBLE..)?);
    let mut imported = 0;
    while !reader.0.is_empty() {
        let (section, content) = (reader.byte()?, reader.bytes()?);
        let mut content = Reader(content);
        if section == IMPORT {
            imported = content.number()?;
        } else if section == CODE {
            let count = content.number()?;
            let bodies: Option<Vec<_>> = (0..count).map(|_| content.bytes()).collect();
            return Some((imported, bodies?));
        }
    }
    None
}

/// From the first on, always the one of those left that has most in common with the last.
fn order(bodies: &[&[u8]]) -> Vec<usize> {
    let runs: Vec<HashSet<&[u8]>> = bodies
        .iter()
        .map(|body| body.windows(RUN_BYTES).collect())
        .collect();
    let mut owners: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (owner, runs) in runs.iter().enumerate() {
        for run in runs {
            owners.entry(run).or_default().push(owner);
        }
    }
    let mut left: Vec<usize> = (0..bodies.len()).collect();
    let mut order = Vec::with_capacity(bodies.len());
    let mut next = left.first().copied();
    while let Some(last) = next {
        order.push(last);
        left.retain(|at| *at != last);
        let mut shared = vec![0.0; bodies.len()];
        for owner in runs[last].iter().flat_map(|run| &owners[run]) {
            shared[*owner] += 1.0;
        }
        let likeness = |at: usize| shared[at] / (runs[at].len() as f64 + RUNS_ADDED).sqrt();
        next = left
            .iter()
            .copied()
            .max_by(|one, other| likeness(*one).total_cmp(&likeness(*other)));
    }
    order
}

/// A section that names the functions by their places.
fn names(imported: usize, order: &[usize]) -> Vec<u8> {
    let mut named = Vec::new();
    write_number(&mut named, order.len());
    let mut places: Vec<(usize, usize)> = order.iter().enumerate().map(|(place, at)| (*at, place)).collect();
    places.sort_unstable();
    for (at, place) in places {
        write_number(&mut named, imported + at);
        write_bytes(&mut named, format!("{place:06}").as_bytes());
    }
    let mut content = Vec::new();
    write_bytes(&mut content, b"name");
    content.push(OF_FUNCTIONS);
    write_bytes(&mut content, &named);
    let mut section = vec![CUSTOM];
    write_bytes(&mut section, &content);
    section
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
    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..u32::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// Bytes behind their number.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }
}

fn write_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, bytes.len());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_are_alike_stand_together() {
        let bodies: [&[u8]; 5] = [
            b"0 a subscription is asked for",
            b"1 bytes are read from what came",
            b"2 a subscription is asked for once more",
            b"",
            b"4 bytes are read from what came before",
        ];
        let order = order(&bodies);
        let place = |function| order.iter().position(|at| *at == function).unwrap();
        assert_eq!(place(0).abs_diff(place(2)), 1, "{order:?}");
        assert_eq!(place(1).abs_diff(place(4)), 1, "{order:?}");
        assert_eq!(order.len(), bodies.len());
    }

    #[test]
    fn every_function_is_named_by_its_place_behind_the_imported_ones() {
        assert_eq!(
            names(3, &[1, 0]),
            [
                b"\0\x18\x04name\x01\x11\x02".as_slice(),
                b"\x03\x06000001\x04\x06000000"
            ]
            .concat()
        );
    }

    #[test]
    fn what_is_no_module_is_refused() {
        assert!(name(b"\0asm\x01\0\0\0").is_err());
        assert!(name(b"\0asm\x01\0\0\0\x0a\x7f").is_err());
        assert!(name(b"").is_err());
    }
}
