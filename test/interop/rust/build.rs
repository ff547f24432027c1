fn main() -> std::io::Result<()> {
    tonic_prost_build::configure()
        .build_server(false)
        .compile_protos(&["grpc/testing/test.proto"], &["../proto"])
}
