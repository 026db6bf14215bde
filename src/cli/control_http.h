// HTTP/1.1 over a connected Unix socket, one request and one answer: what `nightjar ctl`, and anybody with
// `curl --unix-socket`, speak with a running broker. Free functions over descriptors; they block, so never on
// a worker.
#pragma once

#include <cstdint>
#include <map>
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

// The error is one of transport or of form; the answer to the second is a ControlResponse all the same.
Result<ControlRequest, ControlResponse> receive_request(const net::Fd& connection);
Result<void> send_response(const net::Fd& connection, const ControlResponse& response);

Result<void> send_request(const net::Fd& connection, const ControlRequest& request);
Result<ControlResponse> receive_response(const net::Fd& connection);

// {"error": text} with that status.
ControlResponse control_error(unsigned status, std::string_view text);

}  // namespace nightjar::cli
