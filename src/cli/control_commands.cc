#include "cli/control_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <utility>

#include "cli/stats.h"

namespace nightjar::cli {
namespace {

namespace json = boost::json;

std::string failure(std::string_view text) {
  return json::serialize(json::object{{"ok", false}, {"error", text}});
}

std::string_view text_member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

}  // namespace

ControlCommands::ControlCommands(broker::Node& node, net::MailRoom& mail)
    : node_(node), mail_(mail), started_(node.ports().clock.now()) {}

std::string ControlCommands::answer(std::string_view request) {
  json::error_code error;
  const json::value parsed = json::parse(request, error);
  if (error || !parsed.is_object()) return failure("the request is not a JSON object");
  const std::string_view command = text_member(parsed.get_object(), "command");
  if (command == "stats") return stats();
  return failure(fmt::format("this broker does not know the command \"{}\"", command));
}

std::string ControlCommands::stats() {
  auto counters = collect_counters(mail_);
  if (!counters) return failure("a worker did not answer in time; the machine is overloaded");
  return to_json({.version = node_.policy().version,
                  .process_id = ::getpid(),
                  .uptime_s = (node_.ports().clock.now() - started_).ms / 1000,
                  .resident_bytes = resident_bytes(),
                  .workers = std::move(*counters)});
}

}  // namespace nightjar::cli
