//! What can be wrong with a change of a list.

use std::fmt;

/// Why a list was not changed or read.
#[derive(Debug)]
pub enum MembersError {
    /// The user may not. It is the same answer where there is no list, so that nobody learns of one.
    Denied,
    /// There is no list. Only administrators are told.
    NoList,
    /// The last owner would go.
    LastOwner,
    /// A direct conversation is between its two, for as long as there are messages.
    Direct,
    /// A limit is reached: what of, and how many there may be.
    Full(&'static str, usize),
    /// The server is stopping.
    Closed,
    /// SQLite refused: the disk is full, the file is damaged.
    Sql(rusqlite::Error),
}

impl fmt::Display for MembersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str(
                "you may not do this here: the name is not free, or the list is not yours; ask its owner or an \
                 administrator",
            ),
            Self::NoList => f.write_str("there is no member list of this name; make one with `POST /api/v1/channels`"),
            Self::LastOwner => f.write_str(
                "this is the only owner; make somebody else an owner first, or delete the list as a whole",
            ),
            Self::Direct => f.write_str("a direct conversation is between its two people and stays so"),
            Self::Full(what, most) => write!(f, "there may be {most} {what}, and there are; remove some first"),
            Self::Closed => f.write_str("the server is stopping; try again in a moment"),
            Self::Sql(error) => write!(f, "the database of member lists refused: {error}"),
        }
    }
}

impl std::error::Error for MembersError {}

impl From<rusqlite::Error> for MembersError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}
