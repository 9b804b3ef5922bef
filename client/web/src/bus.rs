//! What the tabs of a browser say to each other: a BroadcastChannel of the host.

use bytes::Bytes;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BroadcastChannel, MessageEvent};

use bmt_client_core::Post;

use crate::global::{global, method};

/// A larger post is none of ours: no frame of a server comes near.
const POST_MAX: usize = 16 * 1024 * 1024;
/// As many binary parts as a packet may have (SPEC §10).
const PARTS_MAX: u32 = 10;

/// One tab's place on the bus of its group. It says and hears nothing any more once it is dropped.
pub(crate) struct Bus {
    channel: BroadcastChannel,
    _heard: Closure<dyn Fn(JsValue)>,
}

impl Bus {
    /// Whether this host has such a thing.
    pub(crate) fn is_there() -> bool {
        global("BroadcastChannel").is_some()
    }

    /// Hears what the others of this name say; `None` where the host refuses.
    pub(crate) fn open(name: &str, on_post: impl Fn(Post) + 'static) -> Option<Self> {
        let channel = BroadcastChannel::new(name).ok()?;
        let heard = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
            if let Some(post) = read(&event.unchecked_ref::<MessageEvent>().data()) {
                on_post(post);
            }
        });
        channel.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        // Node would wait for it before it exits.
        if let Some(unref) = method(&channel, "unref") {
            let _ = unref.call0(&channel);
        }
        Some(Self {
            channel,
            _heard: heard,
        })
    }

    pub(crate) fn say(&self, post: &Post) {
        let text = JsValue::from_str(&post.text);
        if post.attachments.is_empty() {
            let _ = self.channel.post_message(&text);
            return;
        }
        let parts = Array::of1(&text);
        for bytes in &post.attachments {
            parts.push(&Uint8Array::from(&**bytes));
        }
        let _ = self.channel.post_message(&parts);
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.channel.set_onmessage(None);
        self.channel.close();
    }
}

/// A post, or nothing where it is of somebody else's making.
fn read(data: &JsValue) -> Option<Post> {
    let mut attachments = Vec::new();
    let text = match data.dyn_ref::<Array>() {
        None => data.clone(),
        Some(parts) => {
            for n in 1..parts.length().min(PARTS_MAX + 1) {
                let bytes = parts.get(n).dyn_into::<Uint8Array>().ok()?;
                if bytes.length() as usize > POST_MAX {
                    return None;
                }
                attachments.push(Bytes::from(bytes.to_vec()));
            }
            parts.get(0)
        }
    };
    let text: js_sys::JsString = text.dyn_into().ok()?;
    let fits = text.length() as usize <= POST_MAX;
    fits.then(|| Post {
        text: String::from(text),
        attachments,
    })
}
