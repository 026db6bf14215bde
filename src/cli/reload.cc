#include "cli/reload.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/durable/describe.h"

namespace nightjar::cli {
namespace {

tl::unexpected<config::Problems> problem(std::string text) {
  return tl::make_unexpected(config::Problems{std::move(text)});
}

}  // namespace

Reload::Plan Reload::plan_for(const config::Config& next) {
  Plan plan{config::differences(current_, next), {}};
  for (const config::ListenerConfig& listener : current_.listeners) {
    const bool stays = std::any_of(next.listeners.begin(), next.listeners.end(),
                                   [&](const auto& other) { return config::is_same_place(other, listener); });
    if (stays) continue;
    plan.disconnects.push_back(fmt::format("listener \"{}\": {}", config::name_of(listener),
                                           broker::counted(target_.clients_of(listener), "client")));
  }
  return plan;
}

Result<Reload::Plan, config::Problems> Reload::plan() {
  NJ_TRY(const config::Config next, load_());
  return plan_for(next);
}

Result<Reload::Plan, config::Problems> Reload::apply() {
  NJ_TRY(config::Config next, load_());
  Plan plan = plan_for(next);
  auto prepared = target_.prepare(next);
  if (!prepared) return problem(prepared.error().message);
  (*prepared)->commit();
  if (const auto healthy = target_.check_health(); !healthy) {
    auto before = target_.prepare(current_);
    if (!before) {
      return problem(fmt::format("{}; the configuration of before cannot be taken up again: {}",
                                 healthy.error().message, before.error().message));
    }
    (*before)->commit();
    return problem(healthy.error().message + "; the configuration of before is in force again");
  }
  current_ = config::without_restart(current_, std::move(next));
  return plan;
}

}  // namespace nightjar::cli
