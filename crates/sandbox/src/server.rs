//! The socket: takes requests off it, finds out who calls what, and puts answers on it.
//! No service's rules here.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::control;
use crate::request::Request;
use crate::services;
use crate::wire::Answer;
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
            let service = service_fn(move |request| {
                let world = world.clone();
                async move { Ok::<_, Infallible>(respond(&world, request).await) }
            });
            // Without a timer, and so without a time limit for headers: it would also end idle connections that a client
            // keeps for later.
            let builder = hyper::server::conn::http1::Builder::new();
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(world: &Arc<World>, request: http::Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let head = parts.method == Method::HEAD;
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        let mut answer = Answer::new(413, "text/plain", "The request is too large.\n");
        answer.headers.push(("connection", "close".into()));
        return render(answer, false);
    };
    let request = Request::new(parts, body.to_bytes());
    let answer = match control::answer(world, &request) {
        Some(answer) => answer,
        None => services::answer(world, &request).await,
    };
    render(answer, head)
}

fn render(answer: Answer, head: bool) -> Response<Full<Bytes>> {
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
    let body = if head { Bytes::new() } else { answer.body };
    response.body(Full::new(body)).unwrap_or_else(|_| {
        let mut broken = Response::new(Full::new(Bytes::new()));
        *broken.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}
