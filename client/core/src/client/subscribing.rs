//! Subscriptions: asking for them, asking again, and filling gaps.

use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::limits::{BATCH, HISTORY_PAGE_MAX, Limits};
use bmt_shared::position::{Position, Seq};
use bmt_shared::reply::{HistoryPage, NotRecovered, Reply, Subscribed};
use bmt_shared::request::{HistoryQuery, HistoryRange, Request, Subscribe};

use crate::client::Client;
use crate::client::publishing::{ENVELOPE_BYTES, batch_bytes};
use crate::connection::Online;
use crate::error::ClientError;
use crate::event::{Event, GapNotice, Origin, RequestId};
use crate::face::{Face, FaceError, RequestKind};
use crate::now::Now;
use crate::request::Purpose;
use crate::subscription::{Standing, Subscription};

impl<F: Face> Client<F> {
    /// Subscribes to a channel, now or when there is a connection; it is kept over reconnects. Answered when it
    /// takes effect. `since` is where the application stands; without it the newest `history` come first.
    ///
    /// Messages come as [`Event::Message`] only, so the answer's `messages` are empty.
    pub fn subscribe(&mut self, now: Now, subscribe: Subscribe) -> RequestId {
        let id = self.want(now, subscribe);
        self.subscribe_wanted();
        id
    }

    /// Subscribes to many channels with as few requests as possible; one answer each, in the same order.
    pub fn subscribe_all(&mut self, now: Now, subscribes: Vec<Subscribe>) -> Vec<RequestId> {
        let ids = subscribes
            .into_iter()
            .map(|subscribe| self.want(now, subscribe))
            .collect();
        self.subscribe_wanted();
        ids
    }

    /// Gives a subscription up. Nothing of the channel is handed on from here.
    pub fn unsubscribe(&mut self, now: Now, topic: &ChannelName) -> RequestId {
        self.set_now(now);
        let id = self.requests.next_id();
        let was_known = self.forget_subscription(topic);
        if self.online().is_none() || !was_known {
            self.answer(id, Ok(Reply::Unsubscribed(topic.clone())));
            return id;
        }
        self.left.insert(topic.clone());
        let purpose = Purpose::Unsubscribe(id, topic.clone());
        self.send(
            RequestKind::Unsubscribe,
            purpose,
            Request::Unsubscribe(topic.clone()),
            None,
        );
        id
    }

    fn want(&mut self, now: Now, subscribe: Subscribe) -> RequestId {
        self.set_now(now);
        let id = self.requests.next_id();
        self.left.remove(&subscribe.topic);
        let topic = subscribe.topic.clone();
        match self.subscriptions.get_mut(&topic) {
            Some(known) => {
                known.waiters.push(id);
                // What is asked already, with the same options, answers both.
                if known.want != subscribe || !matches!(known.standing, Standing::Asked(_)) {
                    known.want = subscribe;
                    known.standing = Standing::Wanted;
                }
            }
            None => {
                let mut subscription = Subscription::new(subscribe);
                subscription.waiters.push(id);
                self.subscriptions.insert(topic, subscription);
            }
        }
        id
    }

    /// Asks for every subscription that is wanted and not asked for.
    pub(super) fn subscribe_wanted(&mut self) {
        self.ask_for(&|subscription| subscription.standing == Standing::Wanted);
    }

    /// Asks again for what the request with this key was to get and the application still wants: the server may have
    /// lost it. What is held has waited long enough.
    pub(super) fn subscribe_once_more(&mut self, key: u64, topics: &[ChannelName]) {
        self.ask_for(&|subscription| {
            topics.contains(&subscription.want.topic) && subscription.waits_for(key)
        });
        for topic in topics {
            let subscription = self.subscriptions.get_mut(topic);
            if let Some(subscription) = subscription.filter(|known| known.waits_for(key)) {
                subscription.stop_waiting();
                if subscription.is_holding() {
                    self.mind_gap(topic);
                }
            }
        }
    }

    fn ask_for(&mut self, is_due: &dyn Fn(&Subscription<F::Payload>) -> bool) {
        let Some(online) = self.online() else { return };
        let is_full = online.is_full();
        let mut most = online.connected.limits.as_ref().map_or(1, most_topics);
        let is_alone = |known: &Subscription<F::Payload>| known.is_alone && is_due(known);
        if self.subscriptions.values().any(is_alone) {
            most = 1;
        }
        let wanted: Vec<Subscribe> = self
            .subscriptions
            .values()
            .filter(|subscription| is_due(subscription))
            .map(|subscription| subscription.request(is_full))
            .collect();
        let mut wanted = wanted.into_iter();
        loop {
            let batch: Vec<Subscribe> = wanted.by_ref().take(most).collect();
            if batch.is_empty() {
                return;
            }
            let topics: Vec<ChannelName> = batch.iter().map(|subscribe| subscribe.topic.clone()).collect();
            let (kind, request) = match <[Subscribe; 1]>::try_from(batch) {
                Ok([only]) => (RequestKind::Subscribe, Request::Subscribe(only)),
                Err(many) => (
                    RequestKind::SubscribeBatch,
                    Request::SubscribeBatch(many.into_iter().map(Ok).collect()),
                ),
            };
            let key = self.send(kind, Purpose::Subscribe(topics.clone()), request, None);
            for topic in &topics {
                let subscription = self.subscriptions.get_mut(topic);
                if let Some(subscription) = subscription.filter(|known| !known.waits_for(key)) {
                    subscription.begin_asking(key);
                }
            }
        }
    }

    pub(super) fn conclude_subscribe(
        &mut self,
        key: u64,
        topics: &[ChannelName],
        result: Result<Reply<F::Payload>, ClientError>,
    ) {
        if topics.len() > 1
            && let Err(ClientError::Refused(failure)) = &result
            && failure.code == ErrorCode::InvalidOperation
        {
            // One of them cannot be shared with another tab: each for itself, so that the others can.
            for subscription in self.subscriptions.values_mut() {
                if topics.contains(&subscription.want.topic) && subscription.waits_for(key) {
                    subscription.is_alone = true;
                    subscription.standing = Standing::Wanted;
                }
            }
            return self.subscribe_wanted();
        }
        let results: Vec<Result<Reply<F::Payload>, ClientError>> = match result {
            Ok(Reply::Batch(replies)) => replies
                .into_iter()
                .map(|(_, reply)| match reply {
                    Reply::Failed(failure) => Err(ClientError::Refused(failure)),
                    reply => Ok(reply),
                })
                .collect(),
            Ok(reply) => vec![Ok(reply)],
            // One fate for all of the batch.
            Err(error) => topics.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut results = results.into_iter();
        for topic in topics {
            // A batch that is answered short leaves the rest unanswered.
            let result = results.next().unwrap_or(Err(ClientError::Timeout));
            if !self
                .subscriptions
                .get(topic)
                .is_some_and(|known| known.waits_for(key))
            {
                continue;
            }
            match result {
                Ok(Reply::Subscribed(subscribed)) => self.subscribed(topic, subscribed),
                Ok(_) => {
                    self.stand(topic, Standing::Live);
                    self.answer_waiters(topic, &Ok(Reply::Done));
                    self.release(topic);
                }
                Err(error) => self.subscribe_failed(topic, &error),
            }
        }
        self.subscribe_wanted();
    }

    fn subscribed(&mut self, topic: &ChannelName, mut subscribed: Subscribed<F::Payload>) {
        let messages = std::mem::take(&mut subscribed.messages);
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        subscription.refusals = 0;
        subscription.is_alone = false;
        subscription.standing = Standing::Live;
        // Whatever is still missing after this answer has its usual time.
        subscription.stop_waiting();
        let top = Position {
            seq: subscribed.seq,
            epoch: subscribed.epoch.clone(),
        };
        let cursor = subscription.cursor.clone();
        let can_page = subscription.want.params.is_empty();
        let (recovered, reason, oldest_seq) =
            (subscribed.recovered, subscribed.reason, subscribed.oldest_seq);
        self.fold(topic, |roster, me| roster.begin(&subscribed, me));
        self.tell(Event::Subscribed(subscribed.clone()));
        self.answer_waiters(topic, &Ok(Reply::Subscribed(subscribed)));
        let Some(since) = cursor else {
            self.begin_at(topic, messages, top, Origin::History);
            return self.release(topic);
        };
        match (recovered, reason) {
            (Some(false), Some(NotRecovered::Limit)) if can_page && since.epoch == top.epoch => {
                self.page(topic, since.seq);
            }
            (Some(true), _) => self.hand_on_recovered(topic, messages, top),
            (None, _) if since == top => {}
            (_, reason) => {
                let reason = reason.map_or("unknown", NotRecovered::as_str);
                self.report_gap(topic, reason, since.clone(), oldest_seq);
                if since.epoch == top.epoch && since.seq <= top.seq {
                    self.hand_on_recovered(topic, messages, top);
                } else {
                    self.begin_at(topic, messages, top, Origin::Recovered);
                }
            }
        }
        self.release(topic);
    }

    /// The reader's position begins, or begins anew, with these messages.
    fn begin_at(
        &mut self,
        topic: &ChannelName,
        messages: Vec<bmt_shared::message::Message<F::Payload>>,
        top: Position,
        origin: Origin,
    ) {
        if let Some(subscription) = self.subscriptions.get_mut(topic) {
            subscription.cursor = Some(top);
        }
        // Servers of the seeds tell no positions: what is history may have come live before.
        let is_first = origin == Origin::History && self.online().is_some_and(Online::is_full);
        for message in messages {
            self.settle_by_copy(&message);
            if is_first {
                self.deliver_in_place(message, origin);
            } else {
                self.deliver(message, origin);
            }
        }
    }

    fn hand_on_recovered(
        &mut self,
        topic: &ChannelName,
        messages: Vec<bmt_shared::message::Message<F::Payload>>,
        top: Position,
    ) {
        for message in messages {
            self.settle_by_copy(&message);
            let subscription = self.subscriptions.get_mut(topic);
            match subscription.and_then(|subscription| subscription.recover(message)) {
                Some(message) => self.deliver_in_place(message, Origin::Recovered),
                None => self.counters.counts.duplicates_dropped += 1,
            }
        }
        if let Some(subscription) = self.subscriptions.get_mut(topic) {
            subscription.advance(top);
        }
    }

    fn subscribe_failed(&mut self, topic: &ChannelName, error: &ClientError) {
        let delay = match error {
            ClientError::Refused(failure) if failure.code.is_retryable() => failure.retry_after_ms,
            ClientError::Timeout => Some(0),
            ClientError::Unreadable(_) => None,
            _ => {
                let failure = error
                    .failure()
                    .cloned()
                    .unwrap_or_else(|| Failure::new(ErrorCode::SubscribeFailed, error.to_string()));
                self.answer_waiters(topic, &Err(error.clone()));
                self.subscriptions.remove(topic);
                self.let_go(topic);
                return self.tell(Event::SubscribeFailed {
                    topic: topic.clone(),
                    failure,
                });
            }
        };
        let refusals = self.subscriptions.get(topic).map_or(0, |known| known.refusals);
        let backoff = self.config.reconnect.delay_ms(refusals, &mut self.random);
        let at = self.after(delay.unwrap_or(backoff));
        if let Some(subscription) = self.subscriptions.get_mut(topic) {
            subscription.stop_waiting();
            subscription.refusals += 1;
            subscription.standing = Standing::Later(at);
        }
    }

    /// A message waits behind a gap: ask for what is missing, unless that is under way.
    pub(super) fn mind_gap(&mut self, topic: &ChannelName) {
        let patience_ends = self.after(self.config.gap_patience_ms);
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        if !subscription.is_catching_up {
            subscription.patience_ends.get_or_insert(patience_ends);
        }
        if subscription.standing == Standing::Live {
            self.recover(topic);
        }
    }

    /// Asks again from where the reader stands.
    pub(super) fn recover(&mut self, topic: &ChannelName) {
        self.counters.counts.recoveries += 1;
        self.stand(topic, Standing::Wanted);
        self.subscribe_wanted();
    }

    fn page(&mut self, topic: &ChannelName, after: Seq) {
        let request = Request::History(HistoryQuery {
            topic: topic.clone(),
            range: HistoryRange::After(after),
            limit: HISTORY_PAGE_MAX,
        });
        let purpose = Purpose::Page(topic.clone(), after);
        let key = self.send(RequestKind::History, purpose, request, None);
        if let Some(subscription) = self.subscriptions.get_mut(topic) {
            subscription.begin_page(key);
        }
    }

    pub(super) fn conclude_page(
        &mut self,
        key: u64,
        topic: &ChannelName,
        after: Seq,
        result: Result<Reply<F::Payload>, ClientError>,
    ) {
        let subscription = self.subscriptions.get(topic);
        let Some(subscription) = subscription.filter(|known| known.standing == Standing::Paging(key)) else {
            return;
        };
        let epoch = subscription.cursor.as_ref().map(|cursor| cursor.epoch.clone());
        match result {
            Ok(Reply::History(page)) if Some(&page.epoch) == epoch.as_ref() => self.paged(topic, after, page),
            // The numbering began again: ask from the start what became of it.
            Ok(_) => self.recover(topic),
            Err(error) => self.subscribe_failed(topic, &error),
        }
    }

    fn paged(&mut self, topic: &ChannelName, after: Seq, page: HistoryPage<F::Payload>) {
        let last = page.messages.last().map_or(after, |message| message.seq);
        let covered = if page.has_more { last } else { page.seq };
        let top = Position {
            seq: covered,
            epoch: page.epoch,
        };
        self.hand_on_recovered(topic, page.messages, top);
        if !page.has_more {
            self.stand(topic, Standing::Live);
        } else if last > after {
            // The live stream may have come further than the page.
            let cursor = self.position(topic).map_or(last, |cursor| cursor.seq);
            self.page(topic, cursor);
        } else {
            let why = FaceError("a page that has more and holds nothing new".to_owned());
            self.subscribe_failed(topic, &ClientError::Unreadable(why));
        }
        self.release(topic);
    }

    /// Hands on what waited, as far as it follows; what is still behind a gap asks again.
    pub(super) fn release(&mut self, topic: &ChannelName) {
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        let released = subscription.release();
        let still_holding = subscription.is_holding();
        // The reader has come further, so what still waits is behind another gap and may wait anew.
        subscription.patience_ends = None;
        for message in released {
            self.deliver(message, Origin::Live);
        }
        if still_holding {
            self.mind_gap(topic);
        } else if self.subscriptions.get(topic).map(|known| known.standing) == Some(Standing::Live) {
            self.met_live_stream(topic);
        }
    }

    fn met_live_stream(&mut self, topic: &ChannelName) {
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        subscription.stop_waiting();
        if subscription.is_broken() {
            self.recover(topic);
        }
    }

    pub(super) fn subscription_deadlines(&mut self) {
        let now = self.now.monotonic_ms;
        let impatient: Vec<ChannelName> = self
            .subscriptions
            .iter()
            .filter(|(_, known)| known.patience_ends.is_some_and(|ends| ends <= now))
            .map(|(topic, _)| topic.clone())
            .collect();
        for topic in impatient {
            self.give_up_gap(&topic);
        }
        if self.online().is_none() {
            return;
        }
        for subscription in self.subscriptions.values_mut() {
            if matches!(subscription.standing, Standing::Later(at) if at <= now) {
                subscription.standing = Standing::Wanted;
            }
        }
        self.subscribe_wanted();
    }

    /// Nobody brought what is missing in time: go on without it, and say so of every gap.
    fn give_up_gap(&mut self, topic: &ChannelName) {
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        for (gap, message) in subscription.release_all() {
            if let Some(since) = gap {
                self.report_gap(topic, "timeout", since, Some(message.seq));
            }
            self.deliver(message, Origin::Live);
        }
    }

    fn report_gap(&mut self, topic: &ChannelName, reason: &str, since: Position, oldest_seq: Option<Seq>) {
        self.counters.counts.gaps += 1;
        self.tell(Event::Gap(GapNotice {
            topic: topic.clone(),
            reason: reason.to_owned(),
            since,
            oldest_seq,
        }));
    }

    /// Drops a subscription; whoever still waits for it is told. Whether there was one.
    pub(super) fn forget_subscription(&mut self, topic: &ChannelName) -> bool {
        self.answer_waiters(topic, &Err(ClientError::Cancelled));
        self.subscriptions.remove(topic).is_some()
    }

    fn answer_waiters(&mut self, topic: &ChannelName, result: &Result<Reply<F::Payload>, ClientError>) {
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        for id in std::mem::take(&mut subscription.waiters) {
            self.answer(id, result.clone());
        }
    }

    fn stand(&mut self, topic: &ChannelName, standing: Standing) {
        if let Some(subscription) = self.subscriptions.get_mut(topic) {
            subscription.standing = standing;
        }
    }
}

/// Most topics of one request: what the server takes, and what is sure to fit into its frames.
fn most_topics(limits: &Limits) -> usize {
    let fitting = batch_bytes(limits) / ENVELOPE_BYTES;
    let told = usize::try_from(limits.batch).unwrap_or(BATCH);
    told.min(fitting).clamp(1, BATCH)
}
