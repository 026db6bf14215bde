#include "cli/reload.h"

#include <utility>

namespace nightjar::cli {
namespace {

tl::unexpected<config::Problems> problem(std::string text) {
  return tl::make_unexpected(config::Problems{std::move(text)});
}

}  // namespace

Result<Reload::Step, config::Problems> Reload::prepare() {
  NJ_TRY(config::Config next, load_());
  Step step{.plan = {config::differences(current_, next), {}}};
  step.next = config::without_restart(current_, std::move(next));
  auto prepared = target_.prepare(step.next);
  if (!prepared) return problem(prepared.error().message);
  step.prepared = std::move(*prepared);
  for (config::Change& change : step.prepared->file_changes()) step.plan.changes.push_back(std::move(change));
  return step;
}

Result<Reload::Plan, config::Problems> Reload::plan() {
  NJ_TRY(Step step, prepare());
  step.plan.disconnects = step.prepared->departures();
  return std::move(step.plan);
}

Result<Reload::Plan, config::Problems> Reload::apply() {
  NJ_TRY(Step step, prepare());
  step.prepared->commit();
  if (const auto healthy = target_.check_health(); !healthy) {
    step.prepared->roll_back();
    return problem(healthy.error().message + "; the configuration of before is in force again");
  }
  step.plan.disconnects = step.prepared->finish();
  current_ = std::move(step.next);
  return std::move(step.plan);
}

}  // namespace nightjar::cli
