//! What each route does: what it takes and gives, with examples, and how it refuses. Tests hold this list to the
//! routes that there are, the examples to their schemas, and real answers to both.

mod accounts;
mod files;
mod lists;
mod messages;
mod people;
mod running;

use bmt_shared::error::ErrorCode;
use serde_json::Value;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::body::Body;

/// Every operation, in the order of the page.
pub(super) fn operations() -> Vec<Operation> {
    [
        messages::operations(),
        lists::operations(),
        files::operations(),
        running::operations(),
        people::operations(),
        accounts::operations(),
    ]
    .concat()
}

/// Who may ask, where the table of guarded routes says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Everybody.
    Anybody,
    /// Everybody, from a page that may talk to us.
    Visitor,
    /// A user's token.
    User,
    /// The refresh cookie of a login.
    Cookie,
}

/// One method on one address.
#[derive(Clone)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) caller: Caller,
    pub(super) asks: Vec<Parameter>,
    pub(super) takes: Option<Taken>,
    pub(super) gives: Vec<Given>,
    /// Refusals of its own; those that many share are added where it is described.
    pub(super) fails: Vec<(u16, ErrorCode)>,
}

/// What stands in the body of a request.
#[derive(Clone)]
pub(super) enum Taken {
    Json(Body, Vec<Value>),
    /// A form with a file in this field, and what that is.
    Form(&'static str, &'static str),
}

/// One kind of success.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) status: u16,
    pub(super) what: &'static str,
    pub(super) content: Content,
}

/// What stands in the body of a success.
#[derive(Clone)]
pub(super) enum Content {
    Nothing,
    Json(Body, Vec<Value>),
    /// A file of this type.
    File(&'static str),
}

/// The beginning of an operation's description.
pub(super) fn on(
    method: &'static str,
    path: &'static str,
    tag: &'static str,
    summary: &'static str,
) -> Operation {
    Operation {
        method,
        path,
        tag,
        summary,
        caller: Caller::Anybody,
        asks: Vec::new(),
        takes: None,
        gives: Vec::new(),
        fails: Vec::new(),
    }
}

impl Operation {
    pub(super) fn of(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }

    /// Parameters in the address's query.
    pub(super) fn asks<T: IntoParams>(mut self) -> Self {
        self.asks.extend(T::into_params(|| Some(ParameterIn::Query)));
        self
    }

    /// A header that may be sent.
    pub(super) fn header(mut self, parameter: Parameter) -> Self {
        self.asks.push(parameter);
        self
    }

    pub(super) fn takes<T: ToSchema>(self, example: Value) -> Self {
        self.takes_body(Body::of::<T>(), vec![example])
    }

    pub(super) fn takes_body(self, body: Body, examples: Vec<Value>) -> Self {
        Self {
            takes: Some(Taken::Json(body, examples)),
            ..self
        }
    }

    /// A form with a file in `field`.
    pub(super) fn takes_form(self, field: &'static str, what: &'static str) -> Self {
        Self {
            takes: Some(Taken::Form(field, what)),
            ..self
        }
    }

    /// 200 with this body.
    pub(super) fn gives<T: ToSchema>(self, what: &'static str, example: Value) -> Self {
        self.gives_as::<T>(200, what, example)
    }

    pub(super) fn gives_as<T: ToSchema>(self, status: u16, what: &'static str, example: Value) -> Self {
        self.given(status, what, Content::Json(Body::of::<T>(), vec![example]))
    }

    /// 204.
    pub(super) fn done(self, what: &'static str) -> Self {
        self.given(204, what, Content::Nothing)
    }

    pub(super) fn given(mut self, status: u16, what: &'static str, content: Content) -> Self {
        self.gives.push(Given {
            status,
            what,
            content,
        });
        self
    }

    /// Refused so, with the code's own status.
    pub(super) fn fails(self, code: ErrorCode) -> Self {
        let status = code.http_status();
        self.fails_as(status, code)
    }

    pub(super) fn fails_as(mut self, status: u16, code: ErrorCode) -> Self {
        self.fails.push((status, code));
        self
    }
}
