// Whether two policies say the same in everything. A field that is added to one of them does not compile here
// until it is compared, too. Pure.
#pragma once

#include "broker/policy.h"

namespace nightjar::broker {

bool is_same(const QueueLimits& a, const QueueLimits& b);
bool is_same(const ListenerPolicy& a, const ListenerPolicy& b);
bool is_same(const NodePolicy& a, const NodePolicy& b);

}  // namespace nightjar::broker
