//! What lies beyond an end of the window.

/// What is known about the history beyond one end of a timeline's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Edge {
    /// There is more, and it may be asked for.
    #[default]
    More,
    /// It was asked for.
    Loading,
    /// It was asked for in vain; asking again is the reader's choice.
    Failed,
    /// Nothing: the channel's first message, or the live stream.
    End,
}

impl Edge {
    /// The edge after a page that says whether more follows.
    #[must_use]
    pub(crate) fn more_or_end(has_more: bool) -> Self {
        if has_more { Self::More } else { Self::End }
    }

    /// Begins to load, if there is something to load and it is not asked for already.
    pub(crate) fn begin(&mut self) -> bool {
        let may = matches!(self, Self::More | Self::Failed);
        if may {
            *self = Self::Loading;
        }
        may
    }

    /// The page did not come.
    pub(crate) fn fail(&mut self) {
        if *self == Self::Loading {
            *self = Self::Failed;
        }
    }
}
