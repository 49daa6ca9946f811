#!/bin/bash
# Several nodes under Slurm. tfft reads the cluster from what srun tells each task; nothing is set here.
#
#   sbatch deploy/slurm.sh configs/mine.yaml /shared/runs/mine
#
# The run folder must lie where all nodes see it. One task a node drives all of the node's GPUs; several tasks a node
# need --gpus-per-task.
#SBATCH --job-name=tfft
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --open-mode=append
# After a lost node or a preemption Slurm puts the job back into the queue.
#SBATCH --requeue
# Five minutes before the time limit the tasks, not this script, get SIGTERM: they save and exit with 143.
#SBATCH --signal=TERM@300
set -u

if [ $# -ne 2 ]; then
    echo "usage: sbatch $0 CONFIG RUN_FOLDER" >&2
    exit 2
fi
config=$1
run=$2

if [ -d "$run" ]; then
    arguments=(--resume "$run")
else
    arguments=("$config" --set "run.directory=$run")
fi

# A worker that ends neither ends the others (--kill-on-bad-exit) nor sets them a time (--wait): the chief may be
# writing the save yet.
srun --kill-on-bad-exit=0 --wait=0 tfft train "${arguments[@]}"
code=$?

# A job that saved and stopped goes on later. One that scancel has ended is no longer RUNNING, and stays ended. srun gives
# the highest code of all tasks: a mistake of one (2) ends the others with 143, so there is an end to turns.
if [ "$code" -eq 143 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ] && [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)" = RUNNING ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
