// Requests to the control socket. Input: size of the pieces, then bytes as anybody with the socket's name
// sends them. How they are cut changes nothing, and what is refused is told as an answer that can be sent.
#include <algorithm>
#include <optional>

#include "cli/control_http.h"
#include "fuzz_input.h"

using namespace nightjar;
using nightjar::fuzz::require;

namespace {

std::optional<Result<cli::ControlRequest, cli::ControlResponse>> read(std::string_view bytes,
                                                                      std::size_t piece) {
  cli::ControlRequestReader reader;
  while (!bytes.empty()) {
    const std::string_view next = bytes.substr(0, piece);
    bytes.remove_prefix(next.size());
    if (auto request = reader.take(next)) return request;
  }
  return std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  const std::size_t piece = 1 + input.choice(255);
  const std::string_view bytes = as_text(input.rest());
  const auto whole = read(bytes, std::max<std::size_t>(bytes.size(), 1));
  const auto pieces = read(bytes, piece);
  require(whole.has_value() == pieces.has_value(), "the pieces change nothing about the end");
  if (!whole) return 0;
  require(whole->has_value() == pieces->has_value(), "nor about whether it is a request");
  if (!*whole) {
    require(whole->error().status >= 400 && !cli::text_of(whole->error()).empty(), "a refusal says why");
    return 0;
  }
  const cli::ControlRequest& one = **whole;
  const cli::ControlRequest& other = **pieces;
  require(one.method == other.method && one.path == other.path && one.query == other.query &&
              one.body == other.body,
          "nor about what is asked");
  return 0;
}
