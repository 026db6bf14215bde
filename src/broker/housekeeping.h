// What must be done now and then for the whole node, whether anybody asks or not. Runs on worker 0.
#pragma once

namespace nightjar::broker {

struct WorkerState;

// From now on expired retained messages are removed bit by bit.
void start_housekeeping(WorkerState& worker);

}  // namespace nightjar::broker
