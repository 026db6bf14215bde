// HTTP/1.1 over a connected Unix socket, one request and one answer: what `nightjar ctl`, and anybody with
// `curl --unix-socket`, speak with a running broker. What takes a descriptor blocks, so never on a worker.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/fd.h"

namespace nightjar::cli {

// Of a request's body; an answer grows with workers, clients and keys.
inline constexpr std::uint64_t kControlRequestBytesMax = 64 * 1024;
inline constexpr std::uint64_t kControlAnswerBytesMax = 1024UL * 1024 * 1024;

struct ControlRequest {
  std::string method = "GET";
  // Decoded: "/api/v1/clients/pump%2017" is {"api", "v1", "clients", "pump 17"}.
  std::vector<std::string> path{};
  std::map<std::string, std::string> query{};
  std::string body{};  // JSON, or empty
};

struct ControlResponse {
  unsigned status = 200;
  std::string body{};  // JSON
};

// Puts a request together from the bytes of a connection, in whatever pieces they come. Pure.
class ControlRequestReader {
 public:
  ControlRequestReader();
  ~ControlRequestReader();
  ControlRequestReader(const ControlRequestReader&) = delete;
  ControlRequestReader& operator=(const ControlRequestReader&) = delete;

  // Nothing while bytes are missing. The error is the answer to what is no request. Not to be called again
  // after that.
  std::optional<Result<ControlRequest, ControlResponse>> take(std::string_view bytes);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};
// As it goes over the wire.
std::string text_of(const ControlResponse& response);

Result<void> send_request(const net::Fd& connection, const ControlRequest& request);
Result<ControlResponse> receive_response(const net::Fd& connection);

// {"error": text} with that status.
ControlResponse control_error(unsigned status, std::string_view text);

}  // namespace nightjar::cli
