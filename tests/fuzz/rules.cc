// Files of rules in Mosquitto's language. Input: a topic or filter, a line break, the file. No text breaks
// the reader, and decisions keep to what must hold whatever the rules are. Nightjar's own are read by toml++.
#include <string_view>

#include "auth/access_rules.h"
#include "fuzz_input.h"
#include "mqtt/topic.h"
#include "mqtt/utf8.h"

using namespace nightjar;
using nightjar::fuzz::require;

namespace {

void check_decisions(const auth::AccessRules& rules, std::string_view topic) {
  if (!mqtt::is_valid_utf8(topic) || !mqtt::is_valid_topic_filter(topic)) return;
  for (const std::string_view name : {"pump", "a/b", "#", ""}) {
    const broker::ClientIdentity who{.client_id = "pump", .user_name = name, .listener = "tls"};
    for (const auth::Action action : {auth::kPublish, auth::kReceive, auth::kSubscribe}) {
      if (action != auth::kSubscribe && mqtt::has_wildcard(topic)) continue;
      const auth::Decision decision = rules.decide(action, who, topic);
      const bool is_free = action == auth::kSubscribe;
      require(is_free || decision.line != 0 || !decision.is_allowed, "without a rule nothing is allowed");
      require(!rules.place(decision.line).empty(), "a decision has a place");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const std::size_t line_break = input.find('\n');
  const std::string_view topic = input.substr(0, line_break);
  const std::string_view text =
      line_break == std::string_view::npos ? std::string_view{} : input.substr(line_break + 1);
  const auto rules = auth::AccessRules::parse_mosquitto(text, "f");
  if (!rules) {
    require(rules.error().message.starts_with("f:"), "an error names file and line");
    return 0;
  }
  check_decisions(*rules, topic);
  return 0;
}
