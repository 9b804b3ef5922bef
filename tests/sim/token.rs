//! Tokens as the people's back end writes them: whose they are, and when they end.

/// The claims of each person's token: `{"sub":"person0"}` and so on.
const CLAIMS: [&str; 3] = [
    "eyJzdWIiOiJwZXJzb24wIn0",
    "eyJzdWIiOiJwZXJzb24xIn0",
    "eyJzdWIiOiJwZXJzb24yIn0",
];

/// One token. Its signature is the time at which it ends, and a number that no other has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) person: usize,
    /// Ms since the Unix epoch; `None` never ends.
    pub(crate) ends_at_ms: Option<u64>,
    pub(crate) number: u64,
}

impl Token {
    pub(crate) fn write(self) -> String {
        let end = self.ends_at_ms.map_or("never".to_owned(), |end| end.to_string());
        format!("e30.{}.{end}.{}", CLAIMS[self.person], self.number)
    }

    pub(crate) fn read(text: &str) -> Self {
        let mut parts = text.split('.').skip(1);
        let claims = parts.next().expect("a token has claims");
        let end = parts.next().expect("a token has a signature");
        let number = parts.next().expect("and a number");
        Self {
            number: number.parse().expect("the back end writes a number"),
            person: CLAIMS
                .iter()
                .position(|known| *known == claims)
                .expect("a token of somebody"),
            ends_at_ms: (end != "never").then(|| end.parse().expect("the back end writes a number")),
        }
    }
}
