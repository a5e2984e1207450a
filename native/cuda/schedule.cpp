#include "schedule.h"

#include <algorithm>
#include <array>

namespace lieconv::cuda {
namespace {

constexpr size_t kMostUpdates = 16;  // EachOfMany::kMost

/// Whether `task` does again what one of `before` did, with nothing after that changed its inputs or results.
bool repeats(const Task& task, const std::vector<Task>& before) {
  if (!task.repeatable || task.launches.size() != 1) return false;
  for (size_t i = before.size(); i-- > 0;) {
    const Task& earlier = before[i];
    if (earlier.launches.size() == 1 && earlier.launches[0].equals(task.launches[0])) return true;
    for (const Range& mine : task.ranges) {
      for (const Range& its : earlier.ranges) {
        if (its.write && mine.begin < its.end && its.begin < mine.end) return false;
      }
    }
  }
  return false;
}

bool joins(const Task& task, const Task& group) {
  return !task.updates.empty() && !group.updates.empty() && group.updates.size() < kMostUpdates &&
         task.updates[0].join() == group.updates[0].join() && !task.conflicts(group);
}

void join(Task& group, Task& task) {
  group.updates.insert(group.updates.end(), task.updates.begin(), task.updates.end());
  group.ranges.insert(group.ranges.end(), task.ranges.begin(), task.ranges.end());
  group.bytes += task.bytes;
  group.flops += task.flops;
}

std::vector<Task> merged(std::vector<Task> tasks, int multiprocessors) {
  std::vector<Task> result;
  for (Task& task : tasks) {
    if (task.launches.empty() && task.updates.empty()) continue;
    if (repeats(task, result)) continue;
    if (!result.empty() && joins(task, result.back())) {
      join(result.back(), task);
    } else {
      result.push_back(std::move(task));
    }
  }
  for (Task& task : result) {
    if (!task.updates.empty()) task.launches.push_back(task.updates[0].join()(task.updates, multiprocessors));
  }
  return result;
}

/// What each branch has seen of the others: the last node of theirs that is certainly done before its next one.
using Seen = std::array<int, kBranches>;

class Scheduler {
 public:
  explicit Scheduler(std::vector<Task> tasks) {
    last_.fill(-1);
    for (Seen& seen : seen_) seen.fill(-1);
    for (Task& task : tasks) place(std::move(task));
  }
  std::vector<Node> take() { return std::move(nodes_); }

 private:
  void place(Task task) {
    const int index = static_cast<int>(nodes_.size());
    std::vector<int> needs;
    for (int i = index - 1; i >= 0; --i) {
      if (nodes_[static_cast<size_t>(i)].task.conflicts(task)) needs.push_back(i);
    }
    Node node;
    node.branch = branch_for(needs);
    Seen& seen = seen_[static_cast<size_t>(node.branch)];
    for (const int need : needs) {  // latest first, so that what an earlier wait brings is not waited for again
      Node& other = nodes_[static_cast<size_t>(need)];
      const auto branch = static_cast<size_t>(other.branch);
      if (other.branch == node.branch || seen[branch] >= need) continue;
      node.waits.push_back(need);
      other.awaited = true;
      const Seen& its = seen_at_[static_cast<size_t>(need)];
      for (size_t b = 0; b < kBranches; ++b) seen[b] = std::max(seen[b], its[b]);
      seen[branch] = std::max(seen[branch], need);
    }
    int64_t depth = 0;
    for (const int need : needs) depth = std::max(depth, depth_[static_cast<size_t>(need)]);
    depth_.push_back(depth + static_cast<int64_t>(task.launches.size()));
    seen_at_.push_back(seen);
    last_[static_cast<size_t>(node.branch)] = index;
    node.task = std::move(task);
    nodes_.push_back(std::move(node));
  }

  /// The branch of the deepest node that it needs, if that is the last one there; else an idle one; else the one whose
  /// last node is least deep.
  int branch_for(const std::vector<int>& needs) const {
    int best = -1;
    for (const int need : needs) {
      const int branch = nodes_[static_cast<size_t>(need)].branch;
      const bool open = last_[static_cast<size_t>(branch)] == need;
      if (open && (best < 0 || depth_[static_cast<size_t>(need)] > depth_of(best))) best = branch;
    }
    if (best >= 0) return best;
    for (int branch = 0; branch < kBranches; ++branch) {
      if (best < 0 || depth_of(branch) < depth_of(best)) best = branch;
    }
    return best;
  }
  int64_t depth_of(int branch) const {
    const int last = last_[static_cast<size_t>(branch)];
    return last < 0 ? 0 : depth_[static_cast<size_t>(last)];
  }

  std::vector<Node> nodes_;
  std::vector<int64_t> depth_;
  std::vector<Seen> seen_at_;
  std::array<int, kBranches> last_;
  std::array<Seen, kBranches> seen_;
};

}  // namespace

std::vector<Node> schedule(std::vector<Task> tasks, int multiprocessors) {
  return Scheduler(merged(std::move(tasks), multiprocessors)).take();
}

lconv_program_stats count(const std::vector<Node>& nodes) {
  lconv_program_stats stats{};
  std::vector<int64_t> depth(nodes.size());
  std::array<int, kBranches> last;
  last.fill(-1);
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    const auto branch = static_cast<size_t>(node.branch);
    int64_t before = last[branch] < 0 ? 0 : depth[static_cast<size_t>(last[branch])];
    for (const int other : node.waits) before = std::max(before, depth[static_cast<size_t>(other)]);
    depth[i] = before + static_cast<int64_t>(node.task.launches.size());
    last[branch] = static_cast<int>(i);
    stats.launches += static_cast<int64_t>(node.task.launches.size());
    stats.longest_path = std::max(stats.longest_path, depth[i]);
    stats.bytes += node.task.bytes;
    stats.flops += node.task.flops;
  }
  stats.branches = std::count_if(last.begin(), last.end(), [](int node) { return node >= 0; });
  return stats;
}

}  // namespace lieconv::cuda
