//! Holds still what is being read. The row at the top of the view keeps its place whatever grows or shrinks
//! around it; who is at the bottom stays there.

use web_sys::{Element, HtmlElement};

/// Closer to the end than this is at the end, px: fractions of zoomed pages add up.
const BOTTOM_SLACK: f64 = 24.0;
/// The next page is loaded when the reader is this close to an end, px.
const NEAR: f64 = 600.0;

/// The row being read.
struct Anchor {
    row: Element,
    /// Its upper edge below that of the frame, px.
    offset: f64,
}

/// Watches one scrolling frame.
pub(super) struct Scroll {
    frame: HtmlElement,
    anchor: Option<Anchor>,
    /// Scroll position and height of the content when they were last looked at, px.
    top: f64,
    height: f64,
}

/// Where the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whereabouts {
    pub(super) at_bottom: bool,
    pub(super) near_top: bool,
    pub(super) near_bottom: bool,
}

/// A place to come back to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    key: String,
    offset: f64,
}

impl Scroll {
    pub(super) fn new(frame: HtmlElement) -> Self {
        Self {
            frame,
            anchor: None,
            top: 0.0,
            height: 0.0,
        }
    }

    /// The frame was scrolled, by the reader or by what changed in it.
    ///
    /// Rows may have come since the last look without having been held yet. Who was at the end is there still
    /// unless they moved up, and only content that shrank moves somebody up who did not want to.
    pub(super) fn scrolled(&mut self, was_at_bottom: bool) -> Whereabouts {
        let (top, height, below) = self.measure();
        let moved_up = top < self.top - 1.0;
        let shrank = height < self.height - 1.0;
        let at_bottom = below <= BOTTOM_SLACK || (was_at_bottom && (!moved_up || shrank));
        // Going back to the very end while the reader sets out from it would fight their fingers.
        if at_bottom && (height - self.height).abs() < 1.0 {
            self.look();
        } else {
            self.hold(at_bottom);
        }
        Whereabouts {
            at_bottom,
            near_top: self.top <= NEAR,
            near_bottom: self.measure().2 <= NEAR,
        }
    }

    /// Something changed: goes to the end, or moves the row being read back to where it was.
    pub(super) fn hold(&mut self, at_bottom: bool) {
        if at_bottom {
            self.frame.set_scroll_top(self.frame.scroll_height());
        } else if let Some(anchor) = self.anchor.as_ref().filter(|anchor| anchor.row.is_connected()) {
            // What the reader scrolled since the last look is meant, not to be undone.
            let scrolled = f64::from(self.frame.scroll_top()) - self.top;
            let moved = self.offset_of(&anchor.row) - (anchor.offset - scrolled);
            self.scroll_by(moved);
        }
        self.look();
    }

    fn look(&mut self) {
        (self.top, self.height, _) = self.measure();
        self.anchor = self.find_anchor();
    }

    /// Scroll position, height of the content, and how much of it lies below the view, px.
    fn measure(&self) -> (f64, f64, f64) {
        let top = f64::from(self.frame.scroll_top());
        let height = f64::from(self.frame.scroll_height());
        (top, height, height - top - f64::from(self.frame.client_height()))
    }

    /// The place to come back to; none at the end.
    pub(super) fn place(&self) -> Option<Place> {
        let anchor = self.anchor.as_ref()?;
        Some(Place {
            key: anchor.row.get_attribute("data-key")?,
            offset: anchor.offset,
        })
    }

    /// Goes to a place, if its row is still there.
    pub(super) fn go_to(&mut self, place: &Place) {
        let row = self
            .rows()
            .find(|row| row.get_attribute("data-key").as_deref() == Some(&place.key));
        if let Some(row) = row {
            self.scroll_by(self.offset_of(&row) - place.offset);
        }
        self.look();
    }

    fn scroll_by(&self, by: f64) {
        if by.abs() >= 0.5 {
            self.frame.scroll_by_with_x_and_y(0.0, by);
        }
    }

    fn offset_of(&self, row: &Element) -> f64 {
        row.get_bounding_client_rect().top() - self.frame.get_bounding_client_rect().top()
    }

    fn rows(&self) -> impl Iterator<Item = Element> + use<> {
        let rows = self.frame.get_elements_by_class_name("message");
        (0..rows.length()).filter_map(move |index| rows.item(index))
    }

    /// The first row whose lower edge is in view: found by halving, since rows stand in order.
    fn find_anchor(&self) -> Option<Anchor> {
        let rows = self.frame.get_elements_by_class_name("message");
        let frame_top = self.frame.get_bounding_client_rect().top();
        let (mut low, mut high) = (0, rows.length());
        while low < high {
            let middle = u32::midpoint(low, high);
            let in_view = rows
                .item(middle)
                .is_some_and(|row| row.get_bounding_client_rect().bottom() > frame_top);
            if in_view { high = middle } else { low = middle + 1 }
        }
        let row = rows.item(low)?;
        let offset = self.offset_of(&row);
        Some(Anchor { row, offset })
    }
}
