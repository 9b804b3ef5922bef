//! The other part of row 89: a server that shows a strange certificate, a name that is not found.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::{Duration, Instant};

use bmt_client_core::Status;
use bmt_faultproxy::Proxy;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use tokio::time::sleep;

use crate::client::{Client, Door, Manner, Seen};
use crate::outcome::{Stop, failed, hold};
use crate::run::Run;
use crate::server::Server;
use crate::session::PATIENCE;

/// How long each fault is given, and the attempts that are neither giving up nor a tight loop meanwhile: the client
/// waits 100 ms, then twice as long each time, up to a second.
pub(super) const TURN: Duration = Duration::from_secs(4);
pub(super) const ATTEMPTS: RangeInclusive<usize> = 2..=20;
/// How soon the client is back when the fault is over.
pub(super) const BACK: Duration = Duration::from_secs(10);
/// How often the server's log is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Nobody has this name (RFC 6761 §6.4).
const NOWHERE: &str = "realtime.invalid";
const CHANNEL: &str = "public:doors";

/// Whose word is taken for a server's name.
struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self {
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    /// Puts a new certificate for `localhost`, with a new key, where the server reads them.
    fn certify(&self, folder: &Path) -> Result<(), Stop> {
        let told = |error: rcgen::Error| failed(error.to_string());
        let key = KeyPair::generate().map_err(told)?;
        let params = CertificateParams::new(vec!["localhost".to_owned()]).map_err(told)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(told)?;
        for (name, pem) in [(CERT, certificate.pem()), (KEY, key.serialize_pem())] {
            let path = folder.join(name);
            std::fs::write(&path, pem).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}

/// Where the server reads its certificate and its key.
const CERT: &str = "cert.pem";
const KEY: &str = "key.pem";

/// The server's certificate becomes one that nobody vouches for, then another one of the authority that is believed:
/// nothing is sent to the stranger, and the renewed certificate needs no word to the client.
pub(super) async fn certificate(run: &mut Run) -> Result<String, Stop> {
    let told = |error: rcgen::Error| failed(error.to_string());
    let (believed, stranger) = (Authority::new().map_err(told)?, Authority::new().map_err(told)?);
    let files = run.round()?;
    believed.certify(&files)?;
    let path = |name: &str| files.join(name).display().to_string();
    let settings = [
        ("BMT_HTTP__TLS_CERT", path(CERT)),
        ("BMT_HTTP__TLS_KEY", path(KEY)),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (server, folder) = run.server(&settings)?;
    let proxy = Proxy::start(server.address(), run.seed).await;
    let proxy = proxy.map_err(|error| failed(error.to_string()))?;
    let door = Door::trusting("localhost", proxy.address().port(), believed.certificate.clone())?;
    let client = Client::start(Manner::of("tls", door, run.seed), &folder)?;
    client.subscribe(CHANNEL);
    client.publish(CHANNEL);
    is_back(&client, 1).await?;

    stranger.certify(&files)?;
    read_again(&server, 1).await?;
    proxy.reset();
    client.publish(CHANNEL);
    let attempts = keeps_trying(&client, "a strange certificate", "invalid peer certificate").await?;

    believed.certify(&files)?;
    read_again(&server, 2).await?;
    is_back(&client, 2).await?;
    client.finish().await?;
    Ok(format!("a strange certificate: {attempts} attempts"))
}

/// The name of the server is not found, and then it is.
pub(super) async fn name(run: &mut Run) -> Result<String, Stop> {
    let (server, folder) = run.server(&[])?;
    let door = Door::named(NOWHERE, server.address().port());
    let client = Client::start(Manner::of("named", door.clone(), run.seed), &folder)?;
    client.subscribe(CHANNEL);
    client.publish(CHANNEL);
    let attempts = keeps_trying(&client, NOWHERE, "lookup").await?;
    door.rename("localhost");
    is_back(&client, 1).await?;
    client.finish().await?;
    Ok(format!("a name that is not found: {attempts} attempts"))
}

/// Makes the server read its configuration, for the `times`th time, and waits until it has.
async fn read_again(server: &Server, times: usize) -> Result<(), Stop> {
    server.signal(Signal::HUP)?;
    let deadline = Instant::now() + PATIENCE;
    while server.log().matches("the configuration was read again").count() < times {
        hold(Instant::now() < deadline, || {
            "the server does not read its configuration again".to_owned()
        })?;
        sleep(LOOK).await;
    }
    Ok(())
}

/// Looks at a client that cannot get in; answers its attempts within [`TURN`].
async fn keeps_trying(client: &Client, what: &str, reason: &str) -> Result<usize, Stop> {
    let out = |seen: &Seen| seen.status != Some(Status::Connected);
    client.until("the end of its connection", PATIENCE, out).await?;
    // A resolver may take its time for the first answer.
    let failed = |seen: &Seen| seen.last_failure.is_some();
    client.until("a failed attempt", PATIENCE, failed).await?;
    let before = client.seen();
    sleep(TURN).await;
    let seen = client.seen();
    let attempts = seen.attempts - before.attempts;
    hold(ATTEMPTS.contains(&attempts), || {
        format!("{what}: {attempts} attempts in {TURN:?}")
    })?;
    let told = seen.last_failure.clone().unwrap_or_default();
    hold(told.contains(reason), || {
        format!("{what}: the client says {told:?}")
    })?;
    hold(
        out(&seen) && seen.refused == 0 && seen.acked == before.acked,
        || format!("{what}: the client believes {seen:?}"),
    )?;
    Ok(attempts)
}

/// Waits until the client is connected and so many messages of its own are acked and delivered, each once.
async fn is_back(client: &Client, messages: usize) -> Result<(), Stop> {
    let back = |seen: &Seen| {
        seen.status == Some(Status::Connected) && seen.acked == messages && seen.delivered == messages
    };
    Ok(client.until("its messages are acked", BACK, back).await?)
}
