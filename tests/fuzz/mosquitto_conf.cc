// A mosquitto.conf that may include a second one. Input: the main file; behind a zero byte what it includes.
// Whatever it says, the answer is a configuration with listeners that can be served, or problems that can be
// read.
#include <string>
#include <string_view>
#include <vector>

#include "config/mosquitto/load.h"
#include "fuzz_input.h"

using namespace nightjar;
using namespace nightjar::config;
using nightjar::fuzz::require;

namespace {

class TwoFiles final : public mosquitto::Files {
 public:
  explicit TwoFiles(std::string_view input)
      : main_(input.substr(0, input.find('\0'))),
        included_(input.find('\0') == std::string_view::npos ? std::string_view{}
                                                             : input.substr(input.find('\0') + 1)) {}
  Result<std::string> read(const std::string& path) override {
    return std::string{path == "mosquitto.conf" ? main_ : included_};
  }
  Result<std::vector<std::string>> list(const std::string&) override {
    return std::vector<std::string>{"a.conf", "b.txt"};
  }

 private:
  std::string_view main_;
  std::string_view included_;
};

void check_listener(const ListenerConfig& listener) {
  require(listener.port != 0 || !listener.unix_path.empty(), "a listener has a place");
  require(listener.tls.files.certificate.empty() == listener.tls.files.key.empty(),
          "a certificate has its key");
  require(!listener.policy.name.empty(), "a listener has a name");
  require(listener.policy.mount_point.find_first_of("+#") == std::string::npos, "a mount point is no filter");
  require(listener.policy.inflight_max != 0 && listener.policy.receive_maximum != 0,
          "something may be in flight");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  TwoFiles files{input};
  const bool is_lenient = size % 2 == 0;
  const auto config =
      mosquitto::load("mosquitto.conf", files, {.port = 1999, .is_without_bridges = is_lenient});
  if (config) {
    for (const ListenerConfig& listener : config->listeners) check_listener(listener);
  } else {
    require(!config.error().empty(), "a refusal has a reason");
    for (const std::string& problem : config.error())
      require(problem.find(".conf") != std::string::npos, "and a place");
  }
  static_cast<void>(mosquitto::is_mosquitto_conf("broker", input));
  return 0;
}
