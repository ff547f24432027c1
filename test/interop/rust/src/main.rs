//! The cases of cases.ts on tonic: `ADDRESS CA CASE...`.

mod pb {
    tonic::include_proto!("grpc.testing");
}

use std::time::Duration;

use pb::test_service_client::TestServiceClient;
use pb::{EchoStatus, Empty, Payload, SimpleRequest, SimpleResponse};
use prost::Message;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Service = TestServiceClient<Channel>;

const MEGABYTE: usize = 1_048_576;
const SPECIAL_MESSAGE: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";
const ECHO_TRAILING: &str = "x-grpc-test-echo-trailing-bin";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, ca, cases @ ..] = args.as_slice() else {
        return Err("usage: weir-interop ADDRESS CA CASE...".into());
    };
    for case in cases {
        let mut line = run(case, endpoint(address, ca)?.connect().await?).await?;
        line["case"] = json!(case);
        println!("{line}");
    }
    Ok(())
}

fn endpoint(address: &str, ca: &str) -> Result<Endpoint, Failure> {
    if ca == "-" {
        return Ok(Endpoint::try_from(format!("http://{address}"))?);
    }
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(std::fs::read(ca)?));
    Ok(Endpoint::try_from(format!("https://{address}"))?.tls_config(tls)?)
}

async fn run(case: &str, channel: Channel) -> Result<Value, Failure> {
    let service = TestServiceClient::new(channel.clone());
    match case {
        "unary" => sized(service, simple(10, 32)).await,
        "many" => many(service).await,
        "concurrent" => concurrent(service).await,
        "deadline" => deadline(service).await,
        "cancel" => cancel(service).await,
        "large" => sized(service, simple(MEGABYTE, MEGABYTE)).await,
        "empty" => empty(service).await,
        "gzip" => {
            sized(
                service.send_compressed(CompressionEncoding::Gzip),
                simple(100_000, 32),
            )
            .await
        }
        "metadata" => metadata(service).await,
        "error" => error(service).await,
        "health" => health(service, HealthClient::new(channel)).await,
        "reflection" => reflection(ServerReflectionClient::new(channel)).await,
        "goaway" => goaway(service).await,
        _ => Err(format!("no case {case}").into()),
    }
}

fn simple(bytes: usize, response: usize) -> SimpleRequest {
    let payload = Payload {
        body: vec![0; bytes],
        ..Default::default()
    };
    SimpleRequest {
        response_size: response as i32,
        payload: Some(payload),
        ..Default::default()
    }
}

/// With metadata, each as name and value.
fn with<T>(message: T, metadata: &[(&'static str, &'static str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in metadata {
        request
            .metadata_mut()
            .insert(*name, MetadataValue::from_static(value));
    }
    request
}

fn length(response: &SimpleResponse) -> usize {
    response
        .payload
        .as_ref()
        .map_or(0, |payload| payload.body.len())
}

async fn sized(mut service: Service, request: SimpleRequest) -> Result<Value, Failure> {
    Ok(json!({ "bytes": length(service.unary_call(request).await?.get_ref()) }))
}

async fn many(service: Service) -> Result<Value, Failure> {
    const CALLS: usize = 10_000;
    const AT_ONCE: usize = 64;
    let mut tasks = JoinSet::new();
    for first in 0..AT_ONCE {
        let mut service = service.clone();
        tasks.spawn(async move {
            let mut ok = 0;
            for _ in (first..CALLS).step_by(AT_ONCE) {
                service.empty_call(Empty {}).await?;
                ok += 1;
            }
            Ok::<usize, Status>(ok)
        });
    }
    let counts = tasks
        .join_all()
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "ok": counts.iter().sum::<usize>() }))
}

async fn concurrent(service: Service) -> Result<Value, Failure> {
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let mut service = service.clone();
        tasks.spawn(async move {
            service
                .unary_call(with(simple(10, 32), &[("x-weir-hold", "200")]))
                .await
        });
    }
    let answers = tasks
        .join_all()
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "ok": answers.iter().filter(|answer| length(answer.get_ref()) == 32).count() }))
}

async fn deadline(mut service: Service) -> Result<Value, Failure> {
    let mut request = with(
        simple(10, 32),
        &[("x-weir-call", "deadline"), ("x-weir-hold", "gone")],
    );
    request.set_timeout(Duration::from_millis(500));
    Ok(json!({ "code": code(service.unary_call(request).await) }))
}

fn code<T>(result: Result<T, Status>) -> i32 {
    result.err().map_or(Code::Ok, |status| status.code()) as i32
}

/// A call of tonic is cancelled when its future is dropped; no status is left to be told.
async fn cancel(mut service: Service) -> Result<Value, Failure> {
    let mut other = service.clone();
    let request = with(
        simple(10, 32),
        &[("x-weir-call", "cancel"), ("x-weir-hold", "gone")],
    );
    let call = tokio::spawn(async move { service.unary_call(request).await });
    other
        .empty_call(with(Empty {}, &[("x-weir-await", "cancel")]))
        .await?;
    call.abort();
    match call.await {
        Ok(result) => Ok(json!({ "code": code(result) })),
        Err(gone) => Ok(
            json!({ "code": if gone.is_cancelled() { Code::Cancelled } else { Code::Internal } as i32 }),
        ),
    }
}

async fn empty(mut service: Service) -> Result<Value, Failure> {
    service.empty_call(Empty {}).await?;
    let response = service.unary_call(SimpleRequest::default()).await?;
    Ok(json!({ "ok": 2, "bytes": length(response.get_ref()) }))
}

/// tonic has the headers and the trailers of a unary call in one map.
async fn metadata(mut service: Service) -> Result<Value, Failure> {
    let mut request = with(
        simple(10, 32),
        &[(ECHO_INITIAL, "test_initial_metadata_value")],
    );
    for value in [&b"\xab\xab\xab"[..], &b"\x00\xff"[..]] {
        request
            .metadata_mut()
            .append_bin(ECHO_TRAILING, MetadataValue::from_bytes(value));
    }
    let response = service.unary_call(request).await?;
    let initial: Result<Vec<_>, _> = response
        .metadata()
        .get_all(ECHO_INITIAL)
        .iter()
        .map(|it| it.to_str())
        .collect();
    let trailing: Result<Vec<_>, _> = response
        .metadata()
        .get_all_bin(ECHO_TRAILING)
        .iter()
        .map(|it| it.to_bytes())
        .collect();
    let trailing: Vec<String> = trailing?
        .iter()
        .map(|it| it.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    Ok(json!({ "initial": initial?, "trailing": trailing }))
}

async fn error(mut service: Service) -> Result<Value, Failure> {
    let wanted = EchoStatus {
        code: Code::FailedPrecondition as i32,
        message: SPECIAL_MESSAGE.into(),
    };
    let request = SimpleRequest {
        response_status: Some(wanted),
        ..Default::default()
    };
    let status = service
        .unary_call(request)
        .await
        .err()
        .ok_or("the call succeeded")?;
    let mut details = Vec::new();
    for any in tonic_types::Status::decode(status.details())?.details {
        let EchoStatus { code, message } = EchoStatus::decode(any.value.as_slice())?;
        details.push(json!({ "type": any.type_url, "code": code, "message": message }));
    }
    Ok(json!({ "code": status.code() as i32, "message": status.message(), "details": details }))
}

async fn health(mut service: Service, mut health: HealthClient<Channel>) -> Result<Value, Failure> {
    let name = |response: &HealthCheckResponse| {
        ServingStatus::try_from(response.status).map(|it| it.as_str_name())
    };
    let check = health.check(HealthCheckRequest::default()).await?;
    let mut watch = health
        .watch(HealthCheckRequest::default())
        .await?
        .into_inner();
    let mut states = Vec::new();
    for serving in [Some("false"), Some("true"), None] {
        states.push(name(&watch.message().await?.ok_or("the watch has ended")?)?);
        if let Some(serving) = serving {
            service
                .empty_call(with(Empty {}, &[("x-weir-serving", serving)]))
                .await?;
        }
    }
    Ok(json!({ "check": name(check.get_ref())?, "watch": states }))
}

async fn reflection(mut client: ServerReflectionClient<Channel>) -> Result<Value, Failure> {
    let ask = |message| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(message),
    };
    let asked = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol(
            "grpc.health.v1.Health".into(),
        )),
    ];
    let mut answers = client
        .server_reflection_info(tokio_stream::iter(asked))
        .await?
        .into_inner();
    let (mut services, mut package) = (Vec::new(), None);
    while let Some(answer) = answers.message().await? {
        match answer.message_response {
            Some(MessageResponse::ListServicesResponse(list)) => {
                services = list
                    .service
                    .into_iter()
                    .map(|service| service.name)
                    .collect();
                services.sort();
            }
            Some(MessageResponse::FileDescriptorResponse(files)) => {
                for bytes in files.file_descriptor_proto {
                    let known = prost_types::FileDescriptorProto::decode(bytes.as_slice())?;
                    if known
                        .service
                        .iter()
                        .any(|service| service.name() == "Health")
                    {
                        package = known.package;
                    }
                }
            }
            other => return Err(format!("{other:?}").into()),
        }
    }
    Ok(json!({ "services": services, "package": package }))
}

async fn goaway(service: Service) -> Result<Value, Failure> {
    let (mut ok, mut failed) = (0, Vec::new());
    for _ in 0..5 {
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let service = service.clone();
            tasks.spawn(async move { vec![held(service).await] });
        }
        let one = service.clone();
        tasks.spawn(async move { vec![plain(one, &[("x-weir-drain", "50")]).await] });
        for _ in 0..4 {
            let service = service.clone();
            tasks.spawn(async move {
                let mut results = Vec::new();
                for _ in 0..50 {
                    results.push(plain(service.clone(), &[]).await);
                }
                results
            });
        }
        for result in tasks.join_all().await.into_iter().flatten() {
            match result {
                Ok(()) => ok += 1,
                Err(status) => failed.push(format!("{status:?}")),
            }
        }
    }
    Ok(json!({ "ok": ok, "failed": failed }))
}

async fn held(mut service: Service) -> Result<(), Status> {
    loop {
        match service
            .unary_call(with(simple(10, 32), &[("x-weir-hold", "drain")]))
            .await
        {
            Err(status) if unsent(&status) => {}
            result => return result.map(drop),
        }
    }
}

async fn plain(
    mut service: Service,
    metadata: &[(&'static str, &'static str)],
) -> Result<(), Status> {
    loop {
        match service.empty_call(with(Empty {}, metadata)).await {
            Err(status) if unsent(&status) => {}
            result => return result.map(drop),
        }
    }
}

/// A call that came to a connection as it was told to go, and never left. Other libraries try it on the next one by
/// themselves; tonic leaves that to us. That such calls have never left is for the server to say, which counts them.
fn unsent(status: &Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_canceled)
        {
            return true;
        }
        if error
            .downcast_ref::<h2::Error>()
            .is_some_and(|it| it.is_go_away() && it.is_remote())
        {
            return true;
        }
        source = error.source();
    }
    false
}
