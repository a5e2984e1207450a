#include "schedule.h"

#include <algorithm>
#include <array>
#include <optional>

namespace lieconv::cuda {
namespace {

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
  return !task.updates.empty() && !group.updates.empty() && group.updates.size() < Update::kMostJoined &&
         task.updates[0].join() == group.updates[0].join() && !task.conflicts(group);
}

void join(Task& group, Task& task) {
  group.updates.insert(group.updates.end(), task.updates.begin(), task.updates.end());
  group.works.insert(group.works.end(), task.works.begin(), task.works.end());
  group.ranges.insert(group.ranges.end(), task.ranges.begin(), task.ranges.end());
  group.bytes += task.bytes;
  group.flops += task.flops;
  group.slices += task.slices;
}

/// The earlier task that `task` can be a part of, if there is one. Updates join the last task. A step's works go
/// further back, past what they do not touch: in one launch they run in turn.
Task* group_for(const Task& task, std::vector<Task>& before) {
  if (!before.empty() && joins(task, before.back())) return &before.back();
  if (task.works.empty()) return nullptr;
  for (size_t i = before.size(); i-- > 0;) {
    const size_t together = before[i].works.size() + task.works.size();
    if (!before[i].works.empty() && together <= StepWork::kMostJoined) return &before[i];
    if (before[i].conflicts(task)) return nullptr;
  }
  return nullptr;
}

std::vector<Task> merged(std::vector<Task> tasks, int multiprocessors) {
  std::vector<Task> result;
  for (Task& task : tasks) {
    if (task.empty() || repeats(task, result)) continue;
    if (Task* const group = group_for(task, result)) {
      join(*group, task);
    } else {
      result.push_back(std::move(task));
    }
  }
  for (Task& task : result) complete(task, multiprocessors);
  return result;
}

/// A node of each branch, which may have none yet. None comes before all others.
using OfBranches = std::array<std::optional<size_t>, kStreams>;

class Scheduler {
 public:
  Scheduler(std::vector<Task> tasks, size_t branches) : branches_(branches) {
    for (Task& task : tasks) place(std::move(task));
  }
  std::vector<Node> take() { return std::move(nodes_); }

 private:
  void place(Task task) {
    const size_t index = nodes_.size();
    std::vector<size_t> needs;
    for (size_t i = index; i-- > 0;) {
      if (nodes_[i].task.conflicts(task)) needs.push_back(i);
    }
    Node node;
    node.branch = task.is_sum() ? kSumBranch : branch_for(needs);
    OfBranches& seen = seen_[node.branch];
    for (const size_t need : needs) {  // latest first, so that what an earlier wait brings is not waited for again
      Node& other = nodes_[need];
      if (other.branch == node.branch || seen[other.branch] >= need) continue;
      node.waits.push_back(need);
      other.awaited = true;
      const OfBranches& its = seen_at_[need];
      for (size_t b = 0; b < kStreams; ++b) seen[b] = std::max(seen[b], its[b]);
      seen[other.branch] = std::max<std::optional<size_t>>(seen[other.branch], need);
    }
    int64_t depth = 0;
    for (const size_t need : needs) depth = std::max(depth, depth_[need]);
    depth_.push_back(depth + static_cast<int64_t>(task.launches.size()));
    seen_at_.push_back(seen);
    last_[node.branch] = index;
    node.task = std::move(task);
    nodes_.push_back(std::move(node));
  }

  /// The branch of the deepest node that it needs, if that is the last one there; else an idle one; else the one whose
  /// last node is least deep.
  size_t branch_for(const std::vector<size_t>& needs) const {
    std::optional<size_t> deepest;
    for (const size_t need : needs) {
      const bool open = nodes_[need].branch != kSumBranch && last_[nodes_[need].branch] == need;
      if (open && (!deepest || depth_[need] > depth_[*deepest])) deepest = need;
    }
    if (deepest) return nodes_[*deepest].branch;
    size_t best = 0;
    for (size_t branch = 1; branch < branches_; ++branch) {
      if (depth_of(branch) < depth_of(best)) best = branch;
    }
    return best;
  }
  int64_t depth_of(size_t branch) const { return last_[branch] ? depth_[*last_[branch]] : 0; }

  size_t branches_;
  std::vector<Node> nodes_;
  std::vector<int64_t> depth_;
  std::vector<OfBranches> seen_at_;        // what each node's branch had seen then
  OfBranches last_;                        // of each branch
  std::array<OfBranches, kStreams> seen_;  // of the others: the last that is certainly done before its next one
};

/// Launches, and slices that blocks of their products go through, one after the other.
struct Chain {
  int64_t launches = 0, slices = 0;
  /// In slices: on GPUs of today a launch takes as long as about eight of them.
  int64_t length() const { return 8 * launches + slices; }
};

}  // namespace

void complete(Task& task, int multiprocessors) {
  if (!task.updates.empty()) task.launches.push_back(task.updates[0].join()(task.updates, multiprocessors));
  if (!task.works.empty()) task.launches.push_back(launch_of(task.works));
}

std::vector<Node> schedule(std::vector<Task> tasks, int multiprocessors, size_t branches) {
  return Scheduler(merged(std::move(tasks), multiprocessors), branches).take();
}

std::vector<Node> repeated(const std::vector<Node>& step, int64_t steps, size_t branches) {
  std::vector<Task> tasks;
  for (int64_t i = 0; i < steps; ++i) {
    for (const Node& node : step) tasks.push_back(node.task);
  }
  return Scheduler(std::move(tasks), branches).take();
}

lconv_program_stats count(const std::vector<Node>& nodes) {
  lconv_program_stats stats{};
  std::vector<int64_t> depth(nodes.size());
  std::vector<Chain> chains(nodes.size());
  Chain longest;
  OfBranches last;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    const auto launches = static_cast<int64_t>(node.task.launches.size());
    std::optional<size_t>& before = last[node.branch];
    depth[i] = before ? depth[*before] : 0;
    if (before) chains[i] = chains[*before];
    for (const size_t other : node.waits) {
      depth[i] = std::max(depth[i], depth[other]);
      if (chains[other].length() > chains[i].length()) chains[i] = chains[other];
    }
    depth[i] += launches;
    chains[i].launches += launches;
    chains[i].slices += node.task.slices;
    if (chains[i].length() > longest.length()) longest = chains[i];
    before = i;
    stats.launches += launches;
    stats.longest_path = std::max(stats.longest_path, depth[i]);
    stats.bytes += node.task.bytes;
    stats.flops += node.task.flops;
    stats.own_products += node.task.own_products;
    for (const Launch& launch : node.task.launches) stats.cublas_products += launch.is_product() ? 1 : 0;
  }
  stats.chain_launches = longest.launches;
  stats.chain_slices = longest.slices;
  stats.branches = std::count_if(last.begin(), last.end(), [](const auto& node) { return node.has_value(); });
  return stats;
}

}  // namespace lieconv::cuda
