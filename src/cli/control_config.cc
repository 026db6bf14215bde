#include "cli/control_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>
#include <iterator>

#include "cli/running_broker.h"

namespace nightjar::cli {
namespace {

namespace json = boost::json;

std::string_view effect_text(config::Effect effect) {
  switch (effect) {
    case config::Effect::kAtOnce:
      return "at once";
    case config::Effect::kNewConnections:
      return "for clients that connect from now on";
    case config::Effect::kNewListener:
      return "listened on";
    case config::Effect::kClosedListener:
      return "closed, its clients are disconnected";
    case config::Effect::kRestart:
      break;
  }
  return "NEEDS A RESTART";
}

json::object object_of(const Reload::Plan& plan) {
  json::array changes;
  bool needs_restart = false;
  for (const config::Change& change : plan.changes) {
    changes.push_back(json::object{{"key", change.key},
                                   {"from", change.from},
                                   {"to", change.to},
                                   {"effect", effect_text(change.effect)}});
    needs_restart |= change.effect == config::Effect::kRestart;
  }
  return {{"changes", std::move(changes)},
          {"needs_restart", needs_restart},
          {"disconnects", json::value_from(plan.disconnects)}};
}

ControlResponse answer_of(const Result<Reload::Plan, config::Problems>& done) {
  if (done) return {200, json::serialize(object_of(*done))};
  return control_error(409, fmt::format("nothing was changed: {}", fmt::join(done.error(), "\n")));
}

bool wants_plan(const ControlRequest& request) {
  json::error_code error;
  const json::value parsed = json::parse(request.body, error);
  const json::object* object = error ? nullptr : parsed.if_object();
  const json::value* plan = object != nullptr ? object->if_contains("plan") : nullptr;
  return plan != nullptr && plan->is_bool() && plan->get_bool();
}

ControlResponse show_config(RunningBroker& broker) {
  json::array settings;
  for (const config::Setting& each : broker.settings())
    settings.push_back(json::object{{"key", each.key}, {"value", each.value}, {"origin", each.origin}});
  return {200, json::serialize(json::object{{"settings", std::move(settings)}})};
}

// A member of the answer that must be a list of objects of strings.
Result<json::array> list_in(std::string_view answer, std::string_view name) {
  json::error_code error;
  json::value parsed = json::parse(answer, error);
  json::object* object = error ? nullptr : parsed.if_object();
  json::value* list = object != nullptr ? object->if_contains(name) : nullptr;
  if (list == nullptr || !list->is_array())
    return fail(fmt::format("the broker's answer has no \"{}\"", name));
  return std::move(list->get_array());
}

std::string text(const json::value& of, std::string_view name) {
  const json::object* object = of.if_object();
  const json::value* value = object != nullptr ? object->if_contains(name) : nullptr;
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

Result<std::string> config_lines(std::string_view answer, bool with_origins) {
  NJ_TRY(const json::array settings, list_in(answer, "settings"));
  std::string out;
  for (const json::value& each : settings) {
    std::string line = fmt::format("{} = {}", text(each, "key"), text(each, "value"));
    if (with_origins) line = fmt::format("{:<56}  # {}", line, text(each, "origin"));
    out += line + '\n';
  }
  return out;
}

}  // namespace

void add_config_routes(ControlCommands& commands, RunningBroker& broker) {
  using Arguments = ControlRoute::Arguments;
  commands.add({"GET", "/api/v1/config",
                [&broker](const ControlRequest&, const Arguments&) { return show_config(broker); }});
  commands.add({"POST", "/api/v1/reload", [&broker](const ControlRequest& request, const Arguments&) {
                  return answer_of(wants_plan(request) ? broker.plan_reload() : broker.reload());
                }});
}

Result<std::string> reload_table(std::string_view answer) {
  NJ_TRY(const json::array changes, list_in(answer, "changes"));
  NJ_TRY(const json::array disconnects, list_in(answer, "disconnects"));
  std::string out;
  for (const json::value& change : changes) {
    const std::string from = text(change, "from");
    const std::string to = text(change, "to");
    fmt::format_to(std::back_inserter(out), "{}: {} -> {} ({})\n", text(change, "key"),
                   from.empty() ? "-" : from, to.empty() ? "-" : to, text(change, "effect"));
  }
  for (const json::value& gone : disconnects) {
    if (gone.is_string())
      fmt::format_to(std::back_inserter(out), "disconnects {}\n", std::string_view(gone.get_string()));
  }
  return out.empty() ? "nothing changes\n" : out;
}

Result<std::string> config_table(std::string_view answer) { return config_lines(answer, false); }
Result<std::string> config_table_with_origins(std::string_view answer) { return config_lines(answer, true); }

}  // namespace nightjar::cli
