//! The messages of one channel, in a window that scrolls.

use std::collections::HashMap;

use bmt_shared::channel::ChannelName;
use leptos::ev::KeyboardEvent;
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{HtmlElement, ResizeObserver, VisibilityState};

use super::label::label;
use super::message::MessageRow;
use super::scroll::Scroll;
use crate::browser::listener::Listener;
use crate::i18n::format;
use crate::live::{Live, use_live};
use crate::state::timeline::Timeline;
use crate::state::timeline::edge::Edge;
use crate::state::timeline::items::{Item, ItemKey, Shown};
use crate::store::{Store, use_store};
use crate::view::icon::Icon;

/// What the list draws for one key: a message's signal changes, its element stays.
#[derive(Clone)]
enum Drawn {
    Day(u64),
    Message(ArcRwSignal<Shown>),
}

/// The scroll keeper and the observers of one timeline.
#[derive(Clone, Copy)]
struct Keeper {
    store: Store,
    scroll: StoredValue<Option<Scroll>, LocalStorage>,
    topic: StoredValue<ChannelName>,
}

impl Keeper {
    /// The channel; none once the view is gone, which a frame of the screen may outlive.
    fn topic(self) -> Option<ChannelName> {
        self.topic.try_get_value()
    }

    fn at_bottom(self) -> bool {
        let Some(topic) = self.topic() else { return true };
        self.store
            .chat
            .try_with_untracked(|chat| chat.timeline(&topic).is_none_or(|timeline| timeline.at_bottom))
            .unwrap_or(true)
    }

    fn hold(self) {
        let at_bottom = self.at_bottom();
        self.scroll.try_update_value(|scroll| {
            if let Some(scroll) = scroll {
                scroll.hold(at_bottom);
            }
        });
    }

    fn hold_soon(self) {
        request_animation_frame(move || self.hold());
    }
}

/// Reads a timeline; `default` where there is none yet.
fn look<T>(store: Store, topic: &ChannelName, default: T, read: impl FnOnce(&Timeline) -> T) -> T {
    store.chat.with(|chat| chat.timeline(topic).map_or(default, read))
}

/// The timeline of `topic`.
#[component]
pub(super) fn TimelineView(topic: ChannelName) -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let frame = NodeRef::<Div>::new();
    let content = NodeRef::<Div>::new();
    let keeper = Keeper {
        store,
        scroll: StoredValue::new_local(None),
        topic: StoredValue::new(topic.clone()),
    };
    watch_size(keeper, frame, content);
    read_what_is_seen(keeper);

    let items = draw_items(store, topic.clone());
    Effect::new(move |_| {
        store.chat.track();
        keeper.hold_soon();
    });
    let name = topic.clone();
    let title = move || {
        let title = store.chat.with(|chat| label(&name, &chat.people));
        (store.words().chat.timeline)(&title)
    };
    let row_topic = topic.clone();
    view! {
        <div class="timeline-frame">
            <div
                class="timeline"
                node_ref=frame
                tabindex="0"
                role="log"
                aria-live="off"
                aria-label=title
                data-testid="timeline"
                on:scroll=move |_| follow(keeper, live)
                on:keydown=move |event| step(frame, &event)
            >
                <div class="timeline-content" node_ref=content>
                    <OlderEdge topic=topic.clone() />
                    <For
                        each=items
                        key=|(key, _)| key.clone()
                        children=move |(_, drawn)| match drawn {
                            Drawn::Day(at) => view! { <Day at=at /> }.into_any(),
                            Drawn::Message(shown) => {
                                view! { <MessageRow topic=row_topic.clone() shown=shown /> }.into_any()
                            }
                        }
                    />
                </div>
            </div>
            <Announcer topic=topic.clone() />
            <Jump topic=topic keeper=keeper />
        </div>
    }
}

/// The reader scrolled: the window follows, and what lies beyond it is fetched.
fn follow(keeper: Keeper, live: Live) {
    let was_at_bottom = keeper.at_bottom();
    let seen = keeper
        .scroll
        .try_update_value(|scroll| scroll.as_mut().map(|scroll| scroll.scrolled(was_at_bottom)))
        .flatten();
    let (Some(seen), Some(topic)) = (seen, keeper.topic()) else {
        return;
    };
    if seen.at_bottom != was_at_bottom {
        keeper.store.chat.update(|chat| {
            let timeline = chat.timeline_mut(&topic);
            if seen.at_bottom && timeline.newer == Edge::End {
                timeline.reach_bottom();
            } else {
                timeline.at_bottom = false;
            }
        });
    }
    if seen.near_top && !keeper.at_bottom() {
        live.load_older(&topic);
    }
    if seen.near_bottom {
        live.load_newer(&topic);
    }
}

/// The items of a timeline, each with the signal its element is drawn from. Only signals whose row changed are
/// written, so a new message costs one row and not four hundred.
fn draw_items(store: Store, topic: ChannelName) -> impl Fn() -> Vec<(ItemKey, Drawn)> {
    let known = StoredValue::new(HashMap::<ItemKey, Drawn>::new());
    move || {
        let items = store.chat.with(|chat| {
            let timeline = chat.timeline(&topic)?;
            Some(timeline.items(chat.me(), format::day_of))
        });
        let before = known.try_update_value(std::mem::take).unwrap_or_default();
        let list: Vec<(ItemKey, Drawn)> = items
            .unwrap_or_default()
            .into_iter()
            .map(|item| {
                let key = item.key();
                let drawn = refresh(before.get(&key), item);
                (key, drawn)
            })
            .collect();
        known.try_set_value(list.iter().cloned().collect());
        list
    }
}

fn refresh(before: Option<&Drawn>, item: Item) -> Drawn {
    match (before, item) {
        (_, Item::Day(_, at)) => Drawn::Day(at),
        (Some(Drawn::Message(signal)), Item::Message(shown)) => {
            if signal.with_untracked(|old| *old != shown) {
                signal.set(shown);
            }
            Drawn::Message(signal.clone())
        }
        (_, Item::Message(shown)) => Drawn::Message(ArcRwSignal::new(shown)),
    }
}

/// Holds the place whenever the rows or the frame change their size: a page came, an image loaded, a keyboard
/// opened. Goes back to where the reader was when they left the channel.
fn watch_size(keeper: Keeper, frame: NodeRef<Div>, content: NodeRef<Div>) {
    let observer = StoredValue::new_local(None::<(ResizeObserver, Closure<dyn FnMut()>)>);
    Effect::new(move |_| {
        let (Some(frame), Some(content)) = (frame.get(), content.get()) else {
            return;
        };
        keeper
            .scroll
            .set_value(Some(Scroll::new(HtmlElement::from(frame.clone()))));
        let held = Closure::<dyn FnMut()>::new(move || keeper.hold());
        if let Ok(sizes) = ResizeObserver::new(held.as_ref().unchecked_ref()) {
            sizes.observe(&frame);
            sizes.observe(&content);
            observer.set_value(Some((sizes, held)));
        }
        let place = keeper.topic().and_then(|topic| {
            let places = keeper.store.places;
            places.with_value(|places| places.get(&topic).cloned())
        });
        if let Some(place) = place.filter(|_| !keeper.at_bottom()) {
            request_animation_frame(move || {
                keeper.scroll.try_update_value(|scroll| {
                    if let Some(scroll) = scroll {
                        scroll.go_to(&place);
                    }
                });
            });
        }
    });
    on_cleanup(move || {
        let place = keeper
            .scroll
            .try_with_value(|scroll| scroll.as_ref().and_then(Scroll::place))
            .flatten();
        if let (Some(place), Some(topic)) = (place, keeper.topic()) {
            keeper.store.places.try_update_value(|places| {
                places.insert(topic, place);
            });
        }
        observer.try_update_value(|observer| {
            if let Some((sizes, _)) = observer.take() {
                sizes.disconnect();
            }
        });
    });
}

/// Marks the channel read while its newest message is on a screen that somebody can see.
fn read_what_is_seen(keeper: Keeper) {
    let live = use_live();
    let document = web_sys::window().and_then(|window| window.document());
    let visible = {
        let document = document.clone();
        move || {
            document
                .as_ref()
                .is_some_and(|document| document.visibility_state() == VisibilityState::Visible)
        }
    };
    let read = move || {
        if visible() && keeper.at_bottom() {
            live.read_open();
        }
    };
    let listener = document.map(|document| {
        let read = read.clone();
        Listener::new(&document, "visibilitychange", move |_| read())
    });
    let listener = StoredValue::new_local(listener);
    on_cleanup(move || {
        listener.try_update_value(Option::take);
    });
    let topic = keeper.topic.get_value();
    let newest = Memo::new(move |_| {
        look(keeper.store, &topic, None, |timeline| {
            Some((timeline.newest(), timeline.at_bottom))
        })
    });
    Effect::new(move |_| {
        // Read, not only tracked: a memo that nobody reads is never computed.
        if newest.get().is_some() {
            read();
        }
    });
}

/// Arrow keys go from message to message; the list is one stop of the Tab key.
fn step(frame: NodeRef<Div>, event: &KeyboardEvent) {
    let Some(frame) = frame.get_untracked() else {
        return;
    };
    let rows = frame.get_elements_by_class_name("message");
    let focused = frame
        .owner_document()
        .and_then(|document| document.active_element());
    let at = (0..rows.length()).find(|index| rows.item(*index) == focused);
    let last = rows.length().saturating_sub(1);
    let to = match (event.key().as_str(), at) {
        ("ArrowUp", Some(at)) => at.saturating_sub(1),
        ("ArrowDown", Some(at)) => (at + 1).min(last),
        ("ArrowUp" | "End", _) => last,
        ("Home", _) => 0,
        _ => return,
    };
    let row = rows.item(to).and_then(|row| row.dyn_into::<HtmlElement>().ok());
    if let Some(row) = row {
        event.prevent_default();
        let _ = row.focus();
    }
}

#[component]
fn Day(at: u64) -> impl IntoView {
    let store = use_store();
    let live = use_live();
    view! {
        <div class="day" role="separator">
            <span>{move || format::day(store.language.get(), at, live.time())}</span>
        </div>
    }
}

/// What lies before the first row: more, the beginning, or nothing at all.
#[component]
fn OlderEdge(topic: ChannelName) -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let name = topic.clone();
    let edge = Memo::new(move |_| {
        look(store, &name, None, |timeline| {
            let empty = timeline.sent().is_empty() && timeline.pending().is_empty();
            Some((timeline.is_loaded(), timeline.older, empty, timeline.gap))
        })
    });
    move || match edge.get() {
        Some((true, Edge::End, true, _)) => view! { <Empty topic=topic.clone() /> }.into_any(),
        Some((true, Edge::End, false, _)) => {
            view! { <div class="timeline-edge">{store.words().chat.beginning}</div> }.into_any()
        }
        Some((true, Edge::Failed, ..)) => {
            let topic = topic.clone();
            view! {
                <div class="timeline-edge">
                    {store.words().chat.older_failed}
                    <button
                        class="button button-small"
                        type="button"
                        on:click=move |_| live.load_older(&topic)
                    >
                        {store.words().retry}
                    </button>
                </div>
            }
            .into_any()
        }
        Some((true, Edge::Loading, ..)) => {
            view! { <div class="timeline-edge">{store.words().chat.loading_older}</div> }.into_any()
        }
        Some((true, Edge::More, _, true)) => {
            view! { <div class="timeline-edge">{store.words().chat.gap}</div> }.into_any()
        }
        Some((true, Edge::More, ..)) => view! { <div class="timeline-edge"></div> }.into_any(),
        Some((false, ..)) | None => {
            view! { <div class="timeline-edge" role="status">{store.words().loading}</div> }.into_any()
        }
    }
}

/// A channel in which nobody has said anything.
#[component]
fn Empty(topic: ChannelName) -> impl IntoView {
    let store = use_store();
    let name = topic.clone();
    let title = move || {
        let title = store.chat.with(|chat| label(&name, &chat.people));
        (store.words().chat.empty_title)(&title)
    };
    view! {
        <div class="blank">
            <span class="blank-mark">{super::label::mark(&topic).draw(26)}</span>
            <h2>{title}</h2>
            <p>{move || store.words().chat.empty_lead}</p>
        </div>
    }
}

/// The way down: how much is new there.
#[component]
fn Jump(topic: ChannelName, keeper: Keeper) -> impl IntoView {
    let store = use_store();
    let live = use_live();
    let name = topic.clone();
    let below = Memo::new(move |_| {
        look(store, &name, None, |timeline| {
            (!timeline.at_bottom && timeline.is_loaded()).then_some(timeline.below)
        })
    });
    move || {
        let topic = topic.clone();
        below.get().map(|below| {
            let chat = &store.words().chat;
            let words = if below > 0 {
                (chat.new_below)(below)
            } else {
                chat.jump_latest.to_owned()
            };
            let class = if below > 0 {
                "button button-main jump"
            } else {
                "button jump"
            };
            view! {
                <button
                    class=class
                    type="button"
                    data-testid="jump-latest"
                    on:click=move |_| {
                        live.to_latest(&topic);
                        keeper.hold_soon();
                    }
                >
                    {Icon::Down.draw(18)}
                    {words}
                </button>
            }
        })
    }
}

/// Tells a screen reader what others say while the channel is open; what is loaded from the history is not told.
#[component]
fn Announcer(topic: ChannelName) -> impl IntoView {
    let store = use_store();
    let last = Memo::new(move |_| {
        store.chat.with(|chat| {
            let last = chat.channels.get(&topic)?.last.clone()?;
            let name = chat.people.name(&last.from).to_owned();
            (last.from != *chat.me()).then_some((last.seq, name, last.text))
        })
    });
    let at_start = last.get_untracked().map(|last| last.0);
    let said = move || {
        let (seq, name, text) = last.get()?;
        let is_new = at_start.is_some_and(|start| start != seq);
        is_new.then(|| (store.words().channels.last_line)(&name, &text))
    };
    view! {
        <div class="unseen" role="status" aria-live="polite">
            {said}
        </div>
    }
}
