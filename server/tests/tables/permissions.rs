//! The tables of `docs/PERMISSIONS.md`, read for the tests that hold a door of the server to them.

const PAGE: &str = include_str!("../../../docs/PERMISSIONS.md");

/// What one may do on a channel: reads, writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) reads: bool,
    pub(crate) writes: bool,
}

/// One cell with its place: the channel, and the heading of the column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) channel: String,
    pub(crate) who: String,
    pub(crate) may: Cell,
}

/// All cells of the table under a heading of the page.
pub(crate) fn table(heading: &str) -> Vec<Expected> {
    let (_, section) = PAGE
        .split_once(&format!("## {heading}\n"))
        .expect("the page has the heading");
    let section = section.split("\n## ").next().expect("there is a first part");
    let mut rows = section
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .map(|line| {
            let line = line.strip_suffix(" |").expect("a row ends like this");
            line.split(" | ").map(str::trim).collect::<Vec<_>>()
        });
    let headings = rows.next().expect("a table has a heading");
    let mut cells = Vec::new();
    for row in rows.filter(|row| !row[0].starts_with("---")) {
        assert_eq!(row.len(), headings.len(), "{row:?}");
        // What stands behind the name says which kind of channel it is.
        let channel = row[0]
            .split('`')
            .nth(1)
            .expect("a row begins with a channel in backticks");
        for (who, cell) in headings.iter().zip(&row).skip(1) {
            cells.push(Expected {
                channel: channel.to_owned(),
                who: who.replace('`', ""),
                may: read(cell),
            });
        }
    }
    cells
}

fn read(cell: &str) -> Cell {
    let (reads, writes) = match cell {
        "read, write" => (true, true),
        "read" => (true, false),
        "write" => (false, true),
        "–" => (false, false),
        other => panic!("{other:?} is no cell of this table"),
    };
    Cell { reads, writes }
}
