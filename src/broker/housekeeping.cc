#include "broker/housekeeping.h"

#include <memory>

#include "broker/worker_state.h"

namespace nightjar::broker {
namespace {

// A sweep visits some hundred topics; so many of them cost a millisecond or two, and a million topics are
// through in half an hour.
constexpr Duration kInterval = Duration::seconds(5);
constexpr int kSweepsPerInterval = 16;

void keep_house(void* context) {
  WorkerState& worker = *static_cast<WorkerState*>(context);
  worker.timers.arm(*worker.housekeeping, worker.now + kInterval);
  for (int i = 0; i < kSweepsPerInterval; ++i) worker.node.retained().sweep(worker.now);
}

}  // namespace

void start_housekeeping(WorkerState& worker) {
  worker.housekeeping = std::make_unique<Timer>(&keep_house, &worker);
  worker.timers.arm(*worker.housekeeping, worker.now + kInterval);
}

}  // namespace nightjar::broker
