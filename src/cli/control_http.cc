#include "cli/control_http.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <boost/url/url.hpp>
#include <cerrno>
#include <cstring>
#include <sstream>

namespace nightjar::cli {
namespace {

namespace http = boost::beast::http;
namespace urls = boost::urls;

constexpr std::uint32_t kHeaderBytesMax = 16 * 1024;

Result<void> send_all(const net::Fd& connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(connection.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return fail(fmt::format("the control connection broke: {}", std::strerror(errno)));
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

// Reads until the message is whole.
template <typename Parser>
Result<void> receive(const net::Fd& connection, Parser& parser) {
  parser.header_limit(kHeaderBytesMax);
  parser.eager(true);
  std::string unread;
  std::array<char, 16384> chunk;
  while (!parser.is_done()) {
    const ssize_t count = ::recv(connection.get(), chunk.data(), chunk.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(fmt::format("the control connection broke: {}", std::strerror(errno)));
    if (count == 0) return fail("the control connection ended early");
    unread.append(chunk.data(), static_cast<std::size_t>(count));
    boost::beast::error_code error;
    const std::size_t used = parser.put(boost::asio::buffer(unread), error);
    if (error && error != http::error::need_more) return fail(error.message());
    unread.erase(0, used);
  }
  return {};
}

template <typename Message>
std::string written(const Message& message) {
  std::ostringstream out;
  out << message;
  return out.str();
}

Result<ControlRequest, ControlResponse> parse_target(const http::request<http::string_body>& message) {
  const auto target = urls::parse_origin_form({message.target().data(), message.target().size()});
  if (!target) return tl::make_unexpected(control_error(400, "the path of the request is no URL path"));
  ControlRequest request;
  request.method = message.method_string();
  for (const auto& segment : target->segments()) request.path.emplace_back(segment);
  for (const auto& parameter : target->params()) request.query[std::string(parameter.key)] = parameter.value;
  request.body = message.body();
  return request;
}

std::string target_of(const ControlRequest& request) {
  urls::url target;
  target.set_path_absolute(true);
  for (const std::string& segment : request.path) target.segments().push_back(segment);
  // A plus is a blank to who reads it.
  const auto encoded = [](const std::string& text) { return urls::encode(text, urls::unreserved_chars); };
  for (const auto& [key, value] : request.query)
    target.encoded_params().append({encoded(key), encoded(value)});
  return std::string(target.encoded_target());
}

}  // namespace

struct ControlRequestReader::Parser {
  Parser() {
    message.header_limit(kHeaderBytesMax);
    message.body_limit(kControlRequestBytesMax);
    message.eager(true);
  }
  http::request_parser<http::string_body> message;
  std::string unread;
};

ControlRequestReader::ControlRequestReader() : parser_(std::make_unique<Parser>()) {}
ControlRequestReader::~ControlRequestReader() = default;

std::optional<Result<ControlRequest, ControlResponse>> ControlRequestReader::take(std::string_view bytes) {
  parser_->unread.append(bytes);
  boost::beast::error_code error;
  const std::size_t used = parser_->message.put(boost::asio::buffer(parser_->unread), error);
  if (error && error != http::error::need_more) {
    return tl::make_unexpected(control_error(400, error.message()));
  }
  parser_->unread.erase(0, used);
  if (!parser_->message.is_done()) return std::nullopt;
  return parse_target(parser_->message.get());
}

std::string text_of(const ControlResponse& response) {
  http::response<http::string_body> message{static_cast<http::status>(response.status), 11, response.body};
  message.set(http::field::content_type, "application/json");
  message.keep_alive(false);
  message.prepare_payload();
  return written(message);
}

Result<void> send_request(const net::Fd& connection, const ControlRequest& request) {
  http::request<http::string_body> message;
  message.method_string(request.method);
  message.target(target_of(request));
  message.version(11);
  message.set(http::field::host, "nightjar");
  if (!request.body.empty()) message.set(http::field::content_type, "application/json");
  message.body() = request.body;
  message.prepare_payload();
  return send_all(connection, written(message));
}

Result<ControlResponse> receive_response(const net::Fd& connection) {
  http::response_parser<http::string_body> parser;
  parser.body_limit(kControlAnswerBytesMax);
  NJ_CHECK(receive(connection, parser));
  return ControlResponse{parser.get().result_int(), std::move(parser.get().body())};
}

ControlResponse control_error(unsigned status, std::string_view text) {
  return {status, boost::json::serialize(boost::json::object{{"error", text}})};
}

}  // namespace nightjar::cli
