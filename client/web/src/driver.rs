//! The run loop: what the world says goes into the core, what the core asks for is done, until it waits.
//!
//! The core's contract is "mutate, then drain `poll_output`". Everything that may call back at once (a fixed
//! token, a lock that nobody else wants) puts its word into `inbox`, so that no mutation happens while outputs
//! are being done. Listeners are called last, with nothing borrowed: they may call anything.

mod group;
mod network;
mod storage;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use bmt_client_core::{
    Client, ClientError, Connect, Event, Face, Fetch, FetchId, Frame, LockChange, Now, Output, Post,
    RequestId, Response, Timeout, Transmit,
};
use bmt_shared::message::Message;
use bmt_shared::reply::Reply;
use js_sys::JsString;

use crate::clock;
use crate::fetch::{self, Polls};
use crate::journal::Journal;
use crate::listeners::Listeners;
use crate::locks::TabLock;
use crate::options::{Options, http_url, socket_url};
use crate::page::{Page, PageEvent, is_offline};
use crate::pending::{Answer, Pending, pending};
use crate::socket::{Socket, SocketEvent};
use crate::timer::Timer;
use crate::token::{self, Auth};
use crate::warning::Warning;

/// What a request is answered with.
pub(crate) type Answered<F> = Result<Reply<<F as Face>::Payload>, ClientError>;

/// Reads a frame of the host's where it lies: the channel message that it is, if that is all it is.
pub(crate) type ReadMessage<P> = fn(&JsString) -> Option<Message<P>>;

/// What the world said and the core has not heard yet.
enum Word {
    Token(token::Answered),
    Socket(u32, SocketEvent),
    Fetched(FetchId, fetch::Answer),
    Timeout,
    Page(PageEvent),
    Lock(bool),
    /// Of the group that was joined as this one.
    Post(u32, Post),
    Leading(u32, bool),
}

/// What the application is told, in order.
pub(crate) enum Told<P> {
    Event(Event<P>),
    Warning(Warning),
}

/// One client's core and everything of the host that it uses.
pub(crate) struct Driver<F: Face + 'static> {
    core: RefCell<Client<F>>,
    read_message: Option<ReadMessage<F::Payload>>,
    options: Options,
    auth: RefCell<Auth>,
    origin: String,
    /// Names the present socket, so that words of the one before are known as such.
    opened: Cell<u32>,
    socket: RefCell<Option<Socket>>,
    polls: RefCell<Option<Polls>>,
    timer: RefCell<Option<Timer>>,
    /// Listened to from `connect` to `disconnect`; in between nothing of the host may point here.
    page: RefCell<Option<Page>>,
    journal: RefCell<Journal>,
    lock: TabLock,
    tidying: storage::Tidying,
    /// Names the present group, so that words of the one before are known as such.
    joined: Cell<u32>,
    group: RefCell<Option<group::Group>>,
    /// Told by the first `connect`.
    unshared: Cell<Option<Warning>>,
    /// Whether the application was told that this tab shares with nobody after all.
    is_told_alone: Cell<bool>,
    inbox: RefCell<VecDeque<Word>>,
    outbox: RefCell<VecDeque<Told<F::Payload>>>,
    busy: Cell<Busy>,
    /// What is kept of the network.
    needs_polling: Cell<bool>,
    /// Mostly a few, and mostly answered in their order: a list is as good as a map and smaller.
    waiting: RefCell<Vec<(RequestId, Answer<Answered<F>>)>>,
    pub(crate) listeners: Listeners<Told<F::Payload>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Busy {
    No,
    /// Doing what the core asked for.
    Draining,
    /// Calling listeners.
    Telling,
}

impl<F: Face + 'static> Driver<F> {
    pub(crate) fn new(
        mut options: Options,
        face: F,
        read_message: Option<ReadMessage<F::Payload>>,
    ) -> Rc<Self> {
        let origin = options.origin();
        let journal = Journal::open(&options.storage);
        options.config.server.clone_from(&origin);
        options.config.seed = clock::random();
        options.config.queue.shared = journal.store().is_some();
        let unshared = group::unshared(&options, journal.store());
        options.config.shared &= unshared.is_none();
        options.config.path = options.path();
        let core = Client::new(options.config.clone(), face);
        Rc::new_cyclic(|this: &Weak<Self>| {
            let weak = this.clone();
            let on_held = Rc::new(move |held| Self::hear(&weak, Word::Lock(held)));
            Self {
                core: RefCell::new(core),
                read_message,
                auth: RefCell::new(options.auth.clone()),
                options,
                origin,
                opened: Cell::new(0),
                socket: RefCell::new(None),
                polls: RefCell::new(None),
                timer: RefCell::new(None),
                page: RefCell::new(None),
                lock: TabLock::new(crate::journal::KEY, journal.store(), on_held),
                journal: RefCell::new(journal),
                tidying: storage::Tidying::default(),
                joined: Cell::new(0),
                group: RefCell::new(None),
                unshared: Cell::new(unshared),
                is_told_alone: Cell::new(false),
                inbox: RefCell::new(VecDeque::new()),
                outbox: RefCell::new(VecDeque::new()),
                busy: Cell::new(Busy::No),
                needs_polling: Cell::new(false),
                waiting: RefCell::new(Vec::new()),
                listeners: Listeners::new(),
            }
        })
    }

    /// Listens to the page, and reads what an earlier page left in the queue. From `connect` on.
    pub(crate) fn begin(self: &Rc<Self>) {
        if self.is_wanted() {
            return;
        }
        let weak = Rc::downgrade(self);
        let on_event: Rc<dyn Fn(PageEvent)> = Rc::new(move |event| Self::hear(&weak, Word::Page(event)));
        *self.page.borrow_mut() = Some(Page::watch(&on_event));
        if let Some(warning) = self.unshared.take() {
            self.outbox.borrow_mut().push_back(Told::Warning(warning));
        }
        if is_offline() {
            self.inbox.borrow_mut().push_back(Word::Page(PageEvent::Offline));
        }
        self.restore(clock::now());
        self.recall_network();
    }

    /// Lets go of the page, the timer and the lock: after `disconnect` nothing of the host points here.
    pub(crate) fn end(&self) {
        self.page.borrow_mut().take();
        self.timer.borrow_mut().take();
        self.stop_tidying();
        self.lock.release();
    }

    /// Whether `connect` was called, and `disconnect` not after it.
    fn is_wanted(&self) -> bool {
        self.page.borrow().is_some()
    }

    /// Takes another source of tokens, for the next connect.
    pub(crate) fn set_auth(&self, auth: Auth) {
        *self.auth.borrow_mut() = auth;
    }

    /// Looks into the core.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Client<F>) -> R) -> R {
        look(&self.core.borrow())
    }

    /// Lets the application do something to the core, then does what follows from it.
    pub(crate) fn turn<R>(self: &Rc<Self>, mutate: impl FnOnce(&mut Client<F>, Now) -> R) -> R {
        let result = mutate(&mut self.core.borrow_mut(), clock::now());
        self.drain();
        result
    }

    /// Lets the application ask something that is answered later. The answer may be there already.
    pub(crate) fn ask(
        self: &Rc<Self>,
        ask: impl FnOnce(&mut Client<F>, Now) -> RequestId,
    ) -> Pending<Answered<F>> {
        let request = ask(&mut self.core.borrow_mut(), clock::now());
        self.answer_to(request)
    }

    fn answer_to(self: &Rc<Self>, request: RequestId) -> Pending<Answered<F>> {
        let (answer, pending) = pending();
        self.waiting.borrow_mut().push((request, answer));
        self.drain();
        pending
    }

    /// Takes a word of the world.
    fn hear(weak: &Weak<Self>, word: Word) {
        let Some(this) = weak.upgrade() else { return };
        this.inbox.borrow_mut().push_back(word);
        this.drain();
    }

    /// Does everything there is to do, then tells the application.
    fn drain(self: &Rc<Self>) {
        if self.busy.get() == Busy::Draining {
            return;
        }
        let telling = self.busy.replace(Busy::Draining) == Busy::Telling;
        loop {
            self.do_outputs();
            let word = self.inbox.borrow_mut().pop_front();
            let Some(word) = word else { break };
            self.tell_core(word);
        }
        self.remember_network();
        self.busy.set(Busy::Telling);
        if !telling {
            self.tell_application();
            self.busy.set(Busy::No);
        }
    }

    /// What is sent goes before what is stored: the server is at work while storage is. The application has not been
    /// told of either, and no other tab is let at what is stored.
    fn do_outputs(self: &Rc<Self>) {
        let mut changes = Vec::new();
        let mut has_sent = false;
        loop {
            let output = self.core.borrow_mut().poll_output();
            if let Output::Lock(_) | Output::Group(_) | Output::Timeout(_) = output {
                self.persist(&mut changes, has_sent);
            }
            match output {
                Output::AskToken => self.ask_token(),
                Output::Connect(connect) => self.open(&connect),
                Output::Fetch(fetch) => self.fetch(&fetch),
                Output::Abort => {
                    self.polls.borrow_mut().take();
                }
                Output::Transmit(frame) => {
                    self.transmit(&frame);
                    has_sent = true;
                }
                Output::Close { code, reason } => {
                    if let Some(socket) = self.socket.borrow_mut().take() {
                        socket.close(code, reason);
                    }
                }
                Output::Persist(change) => changes.push(change),
                Output::Lock(LockChange::Acquire) => self.acquire_lock(),
                Output::Lock(LockChange::Release) => self.release_lock(),
                Output::Group(change) => self.change_group(change),
                Output::Event(event) => self.outbox.borrow_mut().push_back(Told::Event(event)),
                Output::Timeout(timeout) => return self.set_timer(timeout),
            }
        }
    }

    fn tell_core(self: &Rc<Self>, word: Word) {
        let now = clock::now();
        let mut core = self.core.borrow_mut();
        match word {
            Word::Token(token::Answered::Asked(answer)) => core.handle_token(now, answer),
            Word::Token(token::Answered::Fixed(token)) => core.handle_fixed_token(now, token),
            Word::Timeout => core.handle_timeout(now),
            Word::Socket(opened, _) if opened != self.opened.get() => {}
            Word::Socket(_, event) => match event {
                SocketEvent::Opened => core.handle_opened(now),
                SocketEvent::Text(text) => {
                    let units = text.length() as usize;
                    let read = || self.read_message.and_then(|read| read(&text));
                    if !core.handle_message_frame(now, units, read) {
                        core.handle_frame(now, Frame::Text(&String::from(text)));
                    }
                }
                SocketEvent::Binary(bytes) => core.handle_frame(now, Frame::Binary(&bytes)),
                SocketEvent::Closed { code, reason } => {
                    self.socket.borrow_mut().take();
                    core.handle_closed(now, code, &reason);
                }
            },
            Word::Fetched(id, answer) => {
                let response = answer.as_ref().map(|(status, body)| Response {
                    status: *status,
                    body,
                });
                core.handle_response(now, id, response.map_err(String::as_str));
            }
            Word::Page(PageEvent::Online) => core.handle_online(now, true),
            Word::Page(PageEvent::Offline) => core.handle_online(now, false),
            Word::Page(PageEvent::Visible) => {
                core.handle_visible(now);
                drop(core);
                self.lock_again();
            }
            Word::Page(PageEvent::Hidden) => {
                drop(core);
                self.sweep_now();
            }
            Word::Page(PageEvent::Leaving) => {
                core.handle_leaving(now);
                drop(core);
                self.lend_lock();
            }
            Word::Post(joined, post) if joined == self.joined.get() => {
                core.handle_post(now, &post.text, &post.attachments);
            }
            Word::Leading(joined, leads) if joined == self.joined.get() => {
                if leads {
                    self.share_only_under_lock();
                }
                core.handle_leading(now, leads);
            }
            Word::Post(..) | Word::Leading(..) => {}
            Word::Lock(held) => {
                drop(core);
                self.lock_changed(held, now);
            }
        }
    }

    /// Calls listeners and answers requests, event by event in their order, until none is left: what they do
    /// may add more.
    fn tell_application(self: &Rc<Self>) {
        loop {
            let event = self.outbox.borrow_mut().pop_front();
            match event {
                None => return,
                Some(Told::Event(Event::Reply { request, result })) => {
                    if let Some(answer) = self.take_waiting(request) {
                        answer.give(result);
                    }
                }
                Some(told) => self.listeners.tell(&told),
            }
        }
    }

    fn take_waiting(&self, request: RequestId) -> Option<Answer<Answered<F>>> {
        let mut waiting = self.waiting.borrow_mut();
        let at = waiting.iter().position(|(other, _)| *other == request)?;
        Some(waiting.remove(at).1)
    }

    fn ask_token(self: &Rc<Self>) {
        let weak = Rc::downgrade(self);
        let auth = self.auth.borrow().clone();
        auth.ask(move |answer| Self::hear(&weak, Word::Token(answer)));
    }

    fn open(self: &Rc<Self>, connect: &Connect) {
        let opened = self.opened.get().wrapping_add(1);
        self.opened.set(opened);
        let weak = Rc::downgrade(self);
        let on_event = Rc::new(move |event| Self::hear(&weak, Word::Socket(opened, event)));
        let url = socket_url(&self.origin, &connect.path_and_query);
        let constructor = self.options.web_socket.as_ref();
        match Socket::open(&url, &connect.protocols, constructor, on_event) {
            Ok(socket) => *self.socket.borrow_mut() = Some(socket),
            Err(reason) => {
                let closed = SocketEvent::Closed { code: 1006, reason };
                self.inbox.borrow_mut().push_back(Word::Socket(opened, closed));
            }
        }
    }

    fn fetch(self: &Rc<Self>, fetch: &Fetch) {
        let (weak, id) = (Rc::downgrade(self), fetch.id);
        let on_answer = move |answer| Self::hear(&weak, Word::Fetched(id, answer));
        let url = http_url(&self.origin, &fetch.path_and_query);
        match &fetch.body {
            Some(body) => fetch::post(&url, body, fetch.is_last, on_answer),
            None => {
                let mut polls = self.polls.borrow_mut();
                if polls.is_none() {
                    *polls = Polls::new();
                }
                fetch::poll(&url, polls.as_ref(), on_answer);
            }
        }
    }

    fn transmit(&self, frame: &Transmit) {
        if let Some(socket) = &*self.socket.borrow() {
            match frame {
                Transmit::Text(text) => socket.send_text(text),
                Transmit::Binary(bytes) => socket.send_binary(bytes),
            }
        }
    }

    /// A timer that runs already and ends sooner is left: the core finds nothing due then and says again when.
    /// Most frames move a deadline only further away, and a timer costs more than a frame.
    fn set_timer(self: &Rc<Self>, timeout: Option<Timeout>) {
        let mut timer = self.timer.borrow_mut();
        // What expires while the client is disconnected is found to be late by the next connect.
        let Some(timeout) = timeout.filter(|_| self.is_wanted()) else {
            timer.take();
            return;
        };
        if timer.as_ref().is_none_or(|timer| timer.due_ms() > timeout.at_ms) {
            let weak = Rc::downgrade(self);
            *timer = Some(Timer::at(timeout.at_ms, move || {
                if let Some(this) = weak.upgrade() {
                    this.timer.borrow_mut().take();
                }
                Self::hear(&weak, Word::Timeout);
            }));
        }
    }
}
