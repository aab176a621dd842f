#include "server/http/tls_context.h"

#include <openssl/ssl.h>

#include <string>

namespace braid::http {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

namespace {

// ALPN's wire form: a length byte before each name.
constexpr unsigned char kHttp1First[] = "\x08http/1.1\x02h2";
constexpr unsigned char kHttp2First[] = "\x02h2\x08http/1.1";

int Select(const unsigned char* ours, unsigned size, const unsigned char** out, unsigned char* out_size,
           const unsigned char* theirs, unsigned their_size) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, ours, size, theirs, their_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

absl::Status SetUpTls(const TlsFiles& files, Speaks speaks, ssl::context* context) {
  const auto bad = [](const std::string& file, const char* what, const error_code& error) {
    return absl::InvalidArgumentError(file + ": " + what + ": " + error.message());
  };
  error_code error;
  context->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                           ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 | ssl::context::single_dh_use,
                       error);
  if (!error) context->use_certificate_chain_file(files.certificate, error);
  if (error) return bad(files.certificate, "cannot use the certificate", error);
  context->use_private_key_file(files.key, ssl::context::pem, error);
  if (error) return bad(files.key, "cannot use the private key", error);
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return absl::InvalidArgumentError(files.key + " is not the private key of " + files.certificate);
  }
  SSL_CTX_set_alpn_select_cb(
      context->native_handle(),
      [](SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* theirs, unsigned their_size,
         void* http2) {
        return http2 != nullptr ? Select(kHttp2First, sizeof kHttp2First - 1, out, out_size, theirs, their_size)
                                : Select(kHttp1First, sizeof kHttp1First - 1, out, out_size, theirs, their_size);
      },
      speaks == Speaks::kHttp2 ? context : nullptr);
  return absl::OkStatus();
}

}  // namespace braid::http
