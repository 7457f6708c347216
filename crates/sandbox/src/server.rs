//! The socket: takes requests off it, finds out who calls what, and puts answers on it.
//! No service's rules here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::control;
use crate::line::{Line, Sent};
use crate::request::Request;
use crate::services;
use crate::wire::{Answer, Disposition};
use crate::world::World;

/// Larger than anything the modelled operations take: an object here has 5 MiB at most, and aws-chunked adds a little.
const LARGEST_BODY: usize = 6 << 20;

pub(crate) async fn listen(port: u16) -> std::io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    Ok((listener, endpoint))
}

pub(crate) async fn serve(listener: TcpListener, world: Arc<World>) {
    loop {
        // An accept fails when the process has no file descriptors left: later ones may succeed.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let world = world.clone();
        tokio::spawn(async move {
            let reset = Arc::new(AtomicBool::new(false));
            let line = Line::new(stream, reset.clone());
            let service = service_fn(move |request| {
                let (world, reset) = (world.clone(), reset.clone());
                async move { respond(&world, request).await.inspect_err(|_| reset.store(true, Ordering::Release)) }
            });
            // Without a timer, and so without a time limit for headers: it would also end idle connections that a client
            // keeps for later.
            let builder = hyper::server::conn::http1::Builder::new();
            let _ = builder.serve_connection(TokioIo::new(line), service).await;
        });
    }
}

/// The error ends the connection without an answer.
async fn respond(world: &Arc<World>, request: http::Request<Incoming>) -> std::io::Result<Response<Sent>> {
    let (parts, body) = request.into_parts();
    let head = parts.method == Method::HEAD;
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        let mut answer = Answer::new(413, "text/plain", "The request is too large.\n");
        answer.headers.push(("connection", "close".into()));
        answer.headers.push(("x-amzn-requestid", uuid::Uuid::new_v4().to_string()));
        return Ok(render(answer, false));
    };
    let request = Request::new(parts, body.to_bytes());
    let answer = match control::answer(world, &request) {
        Some(answer) => answer,
        None => services::answer(world, &request).await,
    };
    // Half of nothing is nothing: what has no body is not answered at all.
    let lost = answer.disposition == Disposition::Truncate && (head || answer.body.is_empty());
    if lost || answer.disposition == Disposition::Reset {
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    Ok(render(answer, head))
}

fn render(answer: Answer, head: bool) -> Response<Sent> {
    let mut response = Response::builder().status(answer.status);
    if !answer.content_type.is_empty() {
        response = response.header("content-type", answer.content_type);
    }
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    for (name, value) in &answer.metadata {
        response = response.header(name, value);
    }
    let body = match answer.disposition {
        _ if head => Sent::default(),
        Disposition::Truncate => Sent::half(answer.body),
        Disposition::Endless => Sent::endless(answer.body),
        _ => Sent::whole(answer.body),
    };
    response.body(body).unwrap_or_else(|_| {
        let mut broken = Response::new(Sent::default());
        *broken.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}
